import { appendFileSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { create, toBinary } from '@bufbuild/protobuf';
import { explainIoFailure } from '../../data/io-failure.js';
import { EventSchema } from './event_pb.js';
import { encodeRecord } from './record.js';

const PREFIX = 'events.out.tfevents.';
const SUFFIX = '.onefold';

/** Removes the event files that this package wrote into a folder. */
export const removeEventFiles = (directory: string): void => {
  for (const name of readdirSync(directory)) if (name.startsWith(PREFIX) && name.endsWith(SUFFIX)) rmSync(join(directory, name));
};

/** A TensorBoard event file of scalars, appended to as training goes. */
export class EventFile {
  readonly path: string;

  /** Starts a new file in `directory`; TensorBoard shows the files of one folder as one run. */
  constructor(directory: string, startedAt: Date = new Date()) {
    const seconds = String(Math.floor(startedAt.getTime() / 1000)).padStart(10, '0');
    this.path = join(directory, `${PREFIX}${seconds}.${process.pid}${SUFFIX}`);
    this.#append({ wallTime: startedAt.getTime() / 1000, what: { case: 'fileVersion', value: 'brain.Event:2' } });
  }

  /** @throws IoError when the file system refuses. */
  write(step: number, scalars: Readonly<Record<string, number>>, at: Date = new Date()): void {
    const value = Object.entries(scalars).map(([tag, simpleValue]) => ({ tag, value: { case: 'simpleValue' as const, value: simpleValue } }));
    this.#append({ wallTime: at.getTime() / 1000, step: BigInt(step), what: { case: 'summary', value: { value } } });
  }

  #append(event: NonNullable<Parameters<typeof create<typeof EventSchema>>[1]>): void {
    try {
      appendFileSync(this.path, encodeRecord(toBinary(EventSchema, create(EventSchema, event))));
    } catch (cause) {
      throw explainIoFailure(cause, this.path);
    }
  }
}
