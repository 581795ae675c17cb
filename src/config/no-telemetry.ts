/**
 * Official builds of ONNX Runtime since 1.29 report models and machine to their maker, and keep an identifier of the
 * machine on disk, unless a variable says otherwise before the first session. Onefold says so; who wants to report sets
 * `ORT_DISABLE_TELEMETRY=0`.
 *
 * Threads have a copy of the environment that native code does not see: to be called on the main thread.
 */
export const turnOffTelemetry = (): void => {
  process.env['ORT_DISABLE_TELEMETRY'] ??= '1';
};
