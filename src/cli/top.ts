import { Command, InvalidArgumentError } from 'commander';
import { readTokens } from '../serve/http/authorize.js';
import { fetchMetrics } from '../serve/observe/fetch-metrics.js';
import type { Scrape } from '../serve/observe/metric-window.js';
import { renderTop } from '../serve/observe/render-top.js';
import { topView } from '../serve/observe/top-view.js';
import { DESCRIPTIONS } from './descriptions.js';
import { createOutput, type CommonOptions } from './output.js';
import { openScreen, type Screen } from './screen.js';

interface TopOptions extends CommonOptions {
  readonly url: string;
  readonly interval: number;
  readonly once?: boolean;
  readonly tokenFile?: string;
}

/** Figures are of the last seconds: of one they would jump. */
const WINDOW_MS = 10_000;

const EXAMPLES = `
Examples:
  onefold top
  onefold top --url http://scorer-3:9090/metrics --interval 5
  onefold top --once --json

The server shows its metrics on the admin port: onefold serve EXPORTS --admin-port 9090. Rates and percentiles are of the last
${WINDOW_MS / 1000} seconds, with --once of one interval. q or Ctrl-C ends it. docs/observability.md says what the figures mean.
`;

const seconds = (text: string): number => {
  const value = text.trim() === '' ? NaN : Number(text);
  if (!(value >= 0.1 && value <= 3600)) throw new InvalidArgumentError('expected seconds from 0.1 to 3600');
  return value;
};

/** Frames until the screen is closed; a server that stops answering is waited for. */
const follow = async (first: Scrape, ask: () => Promise<Scrape>, interval: number, show: (from: Scrape, to: Scrape) => void, screen: Screen): Promise<void> => {
  let scrapes: readonly Scrape[] = [first];
  while (await screen.wait(interval * 1000)) {
    let scrape: Scrape;
    try {
      scrape = await ask();
    } catch (error) {
      if (!screen.isClosed) screen.notice((error as Error).message);
      continue;
    }
    const kept = scrapes.filter(({ at }) => scrape.at - at <= WINDOW_MS);
    scrapes = [...(kept.length === 0 ? scrapes.slice(-1) : kept), scrape];
    show(scrapes[0]!, scrape);
  }
};

/** `onefold top`: what a server does, as it does it. */
export const topCommand = (): Command =>
  new Command('top')
    .description(DESCRIPTIONS.top)
    .option('--url <url>', "metrics of the server's admin port", 'http://127.0.0.1:9090/metrics')
    .option('--interval <seconds>', 'between two looks', seconds, 1)
    .option('--once', 'look twice, an interval apart, print what happened between, and end')
    .option('--token-file <file>', 'API tokens of the server; the first is used')
    .option('--json', 'print one JSON object for each look on standard output')
    .addHelpText('after', EXAMPLES)
    .action(async (options: TopOptions) => {
      const output = createOutput(options);
      const token = options.tokenFile === undefined ? undefined : readTokens(options.tokenFile)[0];
      const source = { url: options.url, ...(token === undefined ? {} : { token }) };
      // What does not answer at the start is a mistake of the address.
      const first = await fetchMetrics(source);
      const screen = openScreen({ isPlain: options.json === true || options.once === true });
      const show = (from: Scrape, to: Scrape): void => {
        const view = topView(from, to);
        if (options.json === true) output.result(view);
        else screen.show([options.url, ...renderTop(view)]);
      };
      const ask = (): Promise<Scrape> => fetchMetrics({ ...source, signal: screen.signal });
      try {
        if (options.once !== true) await follow(first, ask, options.interval, show, screen);
        else if (await screen.wait(options.interval * 1000)) show(first, await ask());
      } finally {
        screen.close();
      }
    });
