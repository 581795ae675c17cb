/** One question to a running server, over HTTP. */
import { IoError, UsageError } from '../../config/errors.js';
import { withinTime } from './within-time.js';

export interface ServerAddress {
  readonly url: string;
  /** API token, where the server asks for one. */
  readonly token?: string;
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

/** What is told to whoever gave a wrong address. */
export interface AddressHelp {
  /** The option or argument that has the address. */
  readonly where: string;
  readonly example: string;
  /** What was expected to answer. */
  readonly expected: string;
  readonly fix: string;
}

/** Why a connection with TLS is refused here, where the machine does not know who signed the certificate. */
const UNKNOWN_SIGNERS = new Set([
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
]);

const reasonOf = (error: unknown): string => {
  const { cause, name, message } = error as Error;
  if (name === 'TimeoutError') return 'no answer in time';
  return cause instanceof Error ? ((cause as NodeJS.ErrnoException).code ?? cause.message) : message;
};

const notAnswered = (url: string, error: unknown, { where, expected, fix }: AddressHelp): IoError => {
  const reason = reasonOf(error);
  if (!UNKNOWN_SIGNERS.has(reason)) return new IoError(`nothing answers at ${url}: ${reason}`, { where, expected, fix, cause: error });
  return new IoError(`${url} has a certificate of an unknown signer: ${reason}`, {
    where,
    expected: 'a certificate that is trusted here',
    fix: 'set NODE_EXTRA_CA_CERTS to a PEM file with the certificate of its signer, its own where it signed itself',
    cause: error,
  });
};

/**
 * Asks once.
 *
 * @returns the answer's text
 * @throws UsageError when the URL is none or the token is refused; IoError when nothing answers, or with another status
 */
export const askServer = async ({ url, token, timeoutMs = 5000, signal: given }: ServerAddress, help: AddressHelp): Promise<string> => {
  const { where, example, expected, fix } = help;
  if (!URL.canParse(url) || !/^https?:/u.test(url)) throw new UsageError(`"${url}" is no URL of HTTP`, { where, expected: `e.g. ${example}`, fix });
  const ask = async (signal: AbortSignal): Promise<string> => {
    const response = await fetch(url, { headers: token === undefined ? {} : { authorization: `Bearer ${token}` }, signal });
    const text = await response.text();
    if (response.status === 401) throw new UsageError(`${url} asks for a token`, { where: '--token-file', expected: "a file with a token of the server's", fix: 'give the file that the server was started with' });
    if (!response.ok) throw new IoError(`${url} answers with status ${response.status}`, { where, expected, fix });
    return text;
  };
  try {
    return await withinTime(timeoutMs, ask, given);
  } catch (error) {
    if (!(error instanceof TypeError || error instanceof DOMException)) throw error;
    throw notAnswered(url, error, help);
  }
};
