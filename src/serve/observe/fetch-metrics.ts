/** Metrics of a running server, over HTTP. */
import { askServer, type AddressHelp, type ServerAddress } from '../client/ask-server.js';
import type { Scrape } from './metric-window.js';
import { parseMetrics } from './parse-metrics.js';

const HELP: AddressHelp = {
  where: '--url',
  example: 'http://127.0.0.1:9090/metrics',
  expected: 'the metrics of a running `onefold serve`',
  fix: 'start the server with --admin-port 9090, or give its address with --url',
};

/**
 * Asks once.
 *
 * @throws UsageError when the URL is none or the token is refused; IoError when nothing answers, or with another status; DataError
 * when the answer is no metrics
 */
export const fetchMetrics = async (address: ServerAddress): Promise<Scrape> => {
  const text = await askServer(address, HELP);
  return { at: performance.now(), samples: parseMetrics(text, address.url) };
};
