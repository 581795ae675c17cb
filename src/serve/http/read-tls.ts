/** Certificates of a server, read and checked before it listens. */
import { createPrivateKey, X509Certificate, type KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { UsageError } from '../../config/errors.js';
import { explainIoFailure } from '../../data/io-failure.js';

/** What both HTTP and gRPC are served with. */
export interface Tls {
  readonly cert: Buffer;
  readonly key: Buffer;
  /** Clients must show a certificate that one of these signed; left out: they need none. */
  readonly clientCa?: Buffer;
}

export interface TlsFiles {
  readonly tlsCert: string | undefined;
  readonly tlsKey: string | undefined;
  readonly tlsClientCa: string | undefined;
}

const read = (path: string): Buffer => {
  try {
    return readFileSync(path);
  } catch (error) {
    throw explainIoFailure(error, path);
  }
};

/** Reads PEM with what knows its form. */
const readPem = <T>(option: string, path: string, what: string, parse: (pem: Buffer) => T): readonly [Buffer, T] => {
  const pem = read(path);
  try {
    return [pem, parse(pem)];
  } catch (cause) {
    throw new UsageError(`${path} holds no ${what}: ${(cause as Error).message}`, { where: option, expected: `a ${what} in PEM`, fix: 'name another file', cause });
  }
};

const certificate = (pem: Buffer): X509Certificate => new X509Certificate(pem);

/**
 * @returns undefined when the options name no files: plain HTTP and gRPC
 * @throws UsageError when one of a pair is missing, a file is no PEM, or the key is another certificate's; IoError when one cannot be read
 */
export const readTls = ({ tlsCert, tlsKey, tlsClientCa }: TlsFiles): Tls | undefined => {
  if (tlsCert === undefined && tlsKey === undefined && tlsClientCa === undefined) return undefined;
  if (tlsCert === undefined || tlsKey === undefined) {
    const missing = tlsCert === undefined ? '--tls-cert' : '--tls-key';
    throw new UsageError(`${missing} is missing`, { where: missing, expected: '--tls-cert and --tls-key together', fix: 'give both, or neither' });
  }
  const [cert, shown] = readPem('--tls-cert', tlsCert, 'certificate', certificate);
  const [key, secret] = readPem<KeyObject>('--tls-key', tlsKey, 'private key', createPrivateKey);
  if (!shown.checkPrivateKey(secret)) throw new UsageError(`the key in ${tlsKey} is not that of the certificate in ${tlsCert}`, { where: '--tls-key', expected: "the certificate's own key", fix: 'name the files of one pair' });
  return { cert, key, ...(tlsClientCa === undefined ? {} : { clientCa: readPem('--tls-client-ca', tlsClientCa, 'certificate', certificate)[0] }) };
};
