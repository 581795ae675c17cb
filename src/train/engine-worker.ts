/** The engine's thread: owns the model's state, answers one call after the other. */
import { parentPort, workerData } from 'node:worker_threads';
import { onCall } from '../config/stoppable-thread.js';
import { BackgroundSave } from './background-save.js';
import { EngineCore } from './engine-core.js';
import { START_ID, type EngineCall, type EngineReply, type EngineRequest, type EngineSpec } from './engine-protocol.js';
import type { TrainingFailure } from './failure-report.js';
import { packError } from './transferred-error.js';

const port = parentPort!;

const reply = (message: EngineReply, transfer: readonly ArrayBuffer[] = []): void => {
  port.postMessage(message, transfer);
};

const saver = new BackgroundSave();

/** After a failed step the calls already on their way must not train on: they fail alike. */
let failed: TrainingFailure | undefined;

const answer = async (engine: EngineCore, id: number, call: EngineCall): Promise<void> => {
  switch (call.type) {
    case 'train': {
      const result = failed === undefined ? await engine.train(call.feeds, call.rates) : { failure: failed };
      if ('failure' in result) {
        failed = result.failure;
        reply({ id, failure: failed });
      } else reply({ id, answer: result });
      return;
    }
    case 'predict': {
      const logits = await engine.predict(call.feeds);
      reply({ id, answer: logits }, [logits.buffer as ArrayBuffer]);
      return;
    }
    case 'save':
      // Not awaited: later calls go on while the files are written.
      saver.save(engine.targets(call.saves), engine.contents()).then(
        (manifest) => {
          reply({ id, answer: manifest });
        },
        (error: unknown) => {
          reply({ id, error: packError(error) });
        },
      );
      return;
    case 'load': {
      const manifest = engine.load(call.directory);
      failed = undefined;
      reply({ id, answer: manifest });
      return;
    }
    case 'start': {
      const report = engine.start(call.directory, call.tables);
      failed = undefined;
      reply({ id, answer: report });
    }
  }
};

const started = EngineCore.create(workerData as EngineSpec, (notice) => {
  reply({ notice });
});
started.then(
  () => {
    reply({ id: START_ID, answer: new Float32Array(0) });
  },
  (error: unknown) => {
    reply({ id: START_ID, error: packError(error) });
  },
);

/** The end of the queue: calls are answered in the order they came. */
let last: Promise<unknown> = started.catch(() => undefined);
onCall(({ id, call }: EngineRequest) => {
  last = last.then(async () => {
    try {
      await answer(await started, id, call);
    } catch (error) {
      reply({ id, error: packError(error) });
    }
  });
});
