/** A part of a bucket in S3, or in what speaks its protocol. */
import { createWriteStream } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import {
  AbortMultipartUploadCommand, CompleteMultipartUploadCommand, CreateMultipartUploadCommand, DeleteObjectCommand, GetObjectCommand, ListObjectsV2Command, PutObjectCommand, S3Client, S3ServiceException, UploadPartCommand,
} from '@aws-sdk/client-s3';
import { IoError, UsageError } from '../../config/errors.js';
import { explainIoFailure } from '../../data/io-failure.js';

/** Files are sent in parts of this size: a part that fails is sent again, and one request may have 5 GB at most. */
const PART_BYTES = 64 * 1024 * 1024;

/** What a small object may take, tries included: who follows a pointer must not wait for an answer that is lost. */
const TEXT_MS = 15_000;

/** Most parts that a file may have. */
const MOST_PARTS = 10_000;

/** A download that breaks off in the middle is begun again. */
const DOWNLOAD_TRIES = 3;

export interface StoredText {
  readonly text: string;
  readonly etag: string;
  /** Who wrote it, as it said. */
  readonly writer: string | undefined;
}

/** What an object must be to be replaced: one with this tag, or not there. */
export type PutCondition = { readonly ifMatch: string } | 'absent';

const statusOf = (error: unknown): number | undefined => (error instanceof S3ServiceException ? error.$metadata.httpStatusCode : undefined);

/** There is no such object; a bucket that is not there is a mistake. */
const isMissing = (error: unknown): boolean => statusOf(error) === 404 && (error as Error).name !== 'NoSuchBucket';

/** Somebody else wrote first: 412, or 409 while both write. */
const isLost = (error: unknown): boolean => statusOf(error) === 412 || statusOf(error) === 409;

const readPart = async (file: FileHandle, position: number, length: number): Promise<Buffer> => {
  const part = Buffer.alloc(length);
  let filled = 0;
  while (filled < length) {
    const { bytesRead } = await file.read(part, filled, length - filled, position + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return part.subarray(0, filled);
};

/** Objects below `s3://bucket/prefix/`; names are without the prefix. Credentials come from where every AWS tool looks for them. */
export class S3Bucket {
  readonly location: string;
  readonly endpoint: string | undefined;
  readonly #client: S3Client;
  readonly #bucket: string;
  readonly #prefix: string;

  /** @throws UsageError when no bucket is named */
  constructor(location: string, s3Endpoint: string | undefined) {
    const [, bucket, prefix = ''] = /^s3:\/\/([^/]+)\/?(.*?)\/*$/.exec(location) ?? [];
    if (bucket === undefined) throw new UsageError(`${location} names no bucket`, { where: '--registry', expected: 's3://bucket/prefix', fix: 'name the bucket' });
    // Standard error is for what went wrong here, not for the next year's versions of the client.
    process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] ??= 'true';
    this.endpoint = s3Endpoint ?? process.env['AWS_ENDPOINT_URL_S3'] ?? process.env['AWS_ENDPOINT_URL'];
    this.#client = new S3Client({
      region: process.env['AWS_REGION'] ?? process.env['AWS_DEFAULT_REGION'] ?? 'us-east-1',
      // A bucket that hangs must not keep a server from ending, nor from seeing what is promoted later.
      requestHandler: { connectionTimeout: 5000, socketTimeout: 15_000 },
      // Other systems than Amazon's have buckets in the path.
      ...(this.endpoint === undefined ? {} : { endpoint: this.endpoint, forcePathStyle: true }),
    });
    this.#bucket = bucket;
    this.#prefix = prefix === '' ? '' : `${prefix}/`;
    this.location = location.replace(/\/+$/, '');
  }

  /** Undefined when it is not there. */
  async get(name: string): Promise<StoredText | undefined> {
    const abortSignal = AbortSignal.timeout(TEXT_MS);
    try {
      const { Body, ETag, Metadata } = await this.#client.send(new GetObjectCommand(this.#object(name)), { abortSignal });
      return { text: await Body!.transformToString(), etag: ETag!, writer: Metadata?.['writer'] };
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw this.#explain(abortSignal.aborted ? new Error(`no answer within ${TEXT_MS / 1000} s`) : error, name);
    }
  }

  /**
   * Writes an object; with a condition, only if it holds.
   *
   * @returns whether it was written
   */
  async put(name: string, text: string, condition?: PutCondition, writer?: string): Promise<boolean> {
    const conditions = condition === undefined ? {} : condition === 'absent' ? { IfNoneMatch: '*' } : { IfMatch: condition.ifMatch };
    try {
      await this.#client.send(new PutObjectCommand({ ...this.#object(name), Body: text, ContentType: 'application/json', ...conditions, ...(writer === undefined ? {} : { Metadata: { writer } }) }));
      return true;
    } catch (error) {
      // Where the object that is to be replaced is gone, S3 says that it is missing.
      if (condition !== undefined && (isLost(error) || isMissing(error))) return false;
      throw this.#explain(error, name);
    }
  }

  async delete(name: string): Promise<void> {
    try {
      await this.#client.send(new DeleteObjectCommand(this.#object(name)));
    } catch (error) {
      throw this.#explain(error, name);
    }
  }

  /** Names that start so. */
  async list(start: string): Promise<readonly string[]> {
    return [...(await this.sizes(start)).keys()];
  }

  /** Bytes of the objects whose names start so, by name. */
  async sizes(start: string): Promise<ReadonlyMap<string, number>> {
    const sizes = new Map<string, number>();
    let token: string | undefined;
    try {
      do {
        const page = await this.#client.send(new ListObjectsV2Command({ Bucket: this.#bucket, Prefix: `${this.#prefix}${start}`, ...(token === undefined ? {} : { ContinuationToken: token }) }));
        for (const { Key, Size } of page.Contents ?? []) sizes.set(Key!.slice(this.#prefix.length), Size!);
        token = page.NextContinuationToken;
      } while (token !== undefined);
    } catch (error) {
      throw this.#explain(error, start);
    }
    return sizes;
  }

  async upload(name: string, path: string): Promise<void> {
    const file = await open(path).catch((error: unknown) => {
      throw explainIoFailure(error, path);
    });
    try {
      const { size } = await file.stat();
      const partBytes = Math.max(PART_BYTES, Math.ceil(size / MOST_PARTS));
      if (size <= partBytes) await this.#client.send(new PutObjectCommand({ ...this.#object(name), Body: await readPart(file, 0, size) }));
      else await this.#uploadParts(name, file, size, partBytes);
    } catch (error) {
      throw this.#explain(error, name);
    } finally {
      await file.close();
    }
  }

  async download(name: string, path: string): Promise<void> {
    for (let tries = 1; ; tries += 1) {
      // What is not answered at all the client has asked for several times.
      const { Body } = await this.#client.send(new GetObjectCommand(this.#object(name))).catch((error: unknown) => {
        throw this.#explain(error, name);
      });
      try {
        await pipeline(Body as Readable, createWriteStream(path));
        return;
      } catch (error) {
        if (tries < DOWNLOAD_TRIES && explainIoFailure(error, path) === error) continue;
        throw this.#explain(explainIoFailure(error, path), name);
      }
    }
  }

  async #uploadParts(name: string, file: FileHandle, size: number, partBytes: number): Promise<void> {
    const object = this.#object(name);
    const { UploadId } = await this.#client.send(new CreateMultipartUploadCommand(object));
    try {
      const parts: { readonly PartNumber: number; readonly ETag: string | undefined }[] = [];
      for (let position = 0; position < size; position += partBytes) {
        const PartNumber = parts.length + 1;
        const Body = await readPart(file, position, Math.min(partBytes, size - position));
        const { ETag } = await this.#client.send(new UploadPartCommand({ ...object, UploadId, PartNumber, Body }));
        parts.push({ PartNumber, ETag });
      }
      await this.#client.send(new CompleteMultipartUploadCommand({ ...object, UploadId, MultipartUpload: { Parts: parts } }));
    } catch (error) {
      // Parts of an upload that is not ended are paid for.
      await this.#client.send(new AbortMultipartUploadCommand({ ...object, UploadId })).catch(() => undefined);
      throw error;
    }
  }

  #object(name: string): { readonly Bucket: string; readonly Key: string } {
    return { Bucket: this.#bucket, Key: `${this.#prefix}${name}` };
  }

  #explain(cause: unknown, name: string): IoError {
    if (cause instanceof IoError) return cause;
    return new IoError(`${this.location}/${name}: ${cause instanceof Error ? `${cause.name === 'Error' ? '' : `${cause.name}: `}${cause.message}` : String(cause)}`, {
      where: this.location,
      expected: 'a bucket that can be read, and written by who publishes',
      fix: 'check the bucket, the endpoint and the credentials (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION)',
      cause,
    });
  }
}
