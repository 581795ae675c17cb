/** Frames of text, one over the other on a terminal, one after the other elsewhere. */
import { stripVTControlCharacters } from 'node:util';

/** Where frames go until someone ends it: `q` or Ctrl-C on a terminal, SIGINT or SIGTERM. */
export interface Screen {
  readonly isClosed: boolean;
  /** Aborted when it is closed. */
  readonly signal: AbortSignal;
  show(lines: readonly string[]): void;
  /** A line above the last frame; not on standard output, where that is no terminal. */
  notice(text: string): void;
  /** @returns false, and at once, when it is closed */
  wait(milliseconds: number): Promise<boolean>;
  /** Gives the terminal back as it was. */
  close(): void;
}

const HIDE_CURSOR = '\u001b[?25l';
const SHOW_CURSOR = '\u001b[?25h';
const CLEAR = '\u001b[2J';
const HOME = '\u001b[H';
const CLEAR_LINE = '\u001b[K';
const CLEAR_BELOW = '\u001b[J';
const RESET = '\u001b[0m';

const CTRL_C = '\u0003';

/** Cuts a coloured line to a width: colours take no place. */
export const cutLine = (line: string, width: number): string => {
  if (stripVTControlCharacters(line).length <= width) return line;
  let left = width;
  const parts = line.split(/(\u001b\[[0-9;]*m)/u).map((part) => {
    if (part.startsWith('\u001b')) return part;
    const kept = part.slice(0, left);
    left -= kept.length;
    return kept;
  });
  return parts.join('') + RESET;
};

/** Lines of a frame as a terminal of this size gets them: over the last frame, without a newline that would scroll it. */
export const frameText = (lines: readonly string[], columns: number, rows: number): string =>
  HOME + lines.slice(0, rows).map((line) => cutLine(line, columns) + CLEAR_LINE).join('\r\n') + CLEAR_BELOW;

/** @param isPlain frames one after the other, whatever standard output is */
export const openScreen = ({ isPlain }: { readonly isPlain: boolean }): Screen => {
  const { stdout, stdin } = process;
  const isTerminal = stdout.isTTY && !isPlain;
  const takesKeys = isTerminal && stdin.isTTY;
  const controller = new AbortController();
  let last: readonly string[] = [];
  let frames = 0;
  const end = (): void => {
    controller.abort();
  };
  const onKey = (key: Buffer): void => {
    const text = key.toString();
    if (text === CTRL_C || text.toLowerCase() === 'q') end();
  };
  const draw = (lines: readonly string[]): void => {
    // The terminal may have been resized since the last frame; some do not know their size and say 0.
    if (isTerminal) stdout.write(frameText(lines, stdout.columns || Infinity, stdout.rows || Infinity));
    else stdout.write(`${frames > 0 ? '\n' : ''}${lines.join('\n')}\n`);
    frames += 1;
  };
  process.on('SIGINT', end).on('SIGTERM', end);
  // Whoever read the frames has seen enough.
  stdout.on('error', end);
  if (isTerminal) stdout.write(HIDE_CURSOR + CLEAR);
  if (takesKeys) stdin.setRawMode(true).on('data', onKey).resume();
  return {
    get isClosed() {
      return controller.signal.aborted;
    },
    signal: controller.signal,
    show: (lines) => {
      last = lines;
      draw(lines);
    },
    notice: (text) => {
      if (isTerminal) draw([text, '', ...last]);
      else process.stderr.write(`${text}\n`);
    },
    wait: (milliseconds) =>
      new Promise((resolve) => {
        if (controller.signal.aborted) {
          resolve(false);
          return;
        }
        const onAbort = (): void => {
          clearTimeout(timer);
          resolve(false);
        };
        const timer = setTimeout(() => {
          controller.signal.removeEventListener('abort', onAbort);
          resolve(true);
        }, milliseconds);
        controller.signal.addEventListener('abort', onAbort, { once: true });
      }),
    close: () => {
      controller.abort();
      process.removeListener('SIGINT', end).removeListener('SIGTERM', end);
      if (takesKeys) stdin.setRawMode(false).off('data', onKey).pause();
      if (isTerminal) stdout.write(`${SHOW_CURSOR}${RESET}\n`);
    },
  };
};
