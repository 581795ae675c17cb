import { SingleBar } from 'cli-progress';
import pc from 'picocolors';

/** Options every command shares. */
export interface CommonOptions {
  readonly json?: boolean;
}

/** Where a command's words go: people's text or one JSON object on standard output, progress on standard error. */
export interface Output {
  /** Text for people; nothing with `--json`. */
  text(text: string): void;
  /** The command's result: printed as one JSON object with `--json`, nothing otherwise. */
  result(value: unknown): void;
  /** A headline of the step that starts. */
  step(text: string): void;
  progress(label: string): ProgressLine;
}

/** One running piece of work: a bar on a terminal, a line every few seconds elsewhere. */
export interface ProgressLine {
  update(fraction: number, detail: string): void;
  done(detail: string): void;
}

const LINE_INTERVAL_MS = 5_000;

/** Bars on the terminal now. */
const running = new Set<SingleBar>();

/** Takes the bars of work that failed off the terminal: their timers would keep the process alive. */
export const stopProgress = (): void => {
  for (const bar of running) bar.stop();
  running.clear();
};

const barProgress = (label: string): ProgressLine => {
  const bar = new SingleBar({
    format: `${label} {bar} {percentage}% {detail}`,
    barsize: 24,
    clearOnComplete: true,
    stream: process.stderr,
    etaBuffer: 1,
    fps: 8,
  });
  bar.start(1000, 0, { detail: '' });
  running.add(bar);
  return {
    update: (fraction, detail) => bar.update(Math.round(Math.min(1, fraction) * 1000), { detail }),
    done: (detail) => {
      bar.stop();
      running.delete(bar);
      process.stderr.write(`${label} ${pc.green('done')} ${detail}\n`);
    },
  };
};

const lineProgress = (label: string): ProgressLine => {
  let last = performance.now();
  return {
    update: (fraction, detail) => {
      if (performance.now() - last < LINE_INTERVAL_MS) return;
      last = performance.now();
      process.stderr.write(`${label} ${Math.floor(fraction * 100)}% ${detail}\n`);
    },
    done: (detail) => process.stderr.write(`${label} done ${detail}\n`),
  };
};

const silentProgress: ProgressLine = { update: () => undefined, done: () => undefined };

/** Output of one command run. */
export const createOutput = (options: CommonOptions): Output => {
  const json = options.json === true;
  return {
    text: (text) => {
      if (!json) process.stdout.write(`${text}\n`);
    },
    result: (value) => {
      if (json) process.stdout.write(`${JSON.stringify(value)}\n`);
    },
    step: (text) => {
      if (!json) process.stderr.write(`${pc.bold(text)}\n`);
    },
    progress: (label) => {
      if (json) return silentProgress;
      return process.stderr.isTTY ? barProgress(label) : lineProgress(label);
    },
  };
};

/** `1234567` → `1.23M`. */
export const compactNumber = (value: number): string =>
  new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 2 }).format(value);

/** Seconds as `1m 05s`. */
export const duration = (seconds: number): string => {
  const whole = Math.round(seconds);
  return whole < 60 ? `${seconds.toFixed(1)}s` : `${Math.floor(whole / 60)}m ${String(whole % 60).padStart(2, '0')}s`;
};
