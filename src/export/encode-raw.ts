import { gatherColumn } from '../data/gather-columns.js';
import type { Encoder } from '../data/encode.js';
import type { EncodedRows } from './open-export.js';
import type { RawRows } from './raw-rows.js';

/**
 * Encodes raw rows for an export, with the encoders that training used. A view type never seen in training has index 0.
 *
 * @param serving training-only features take the value they are served with, whatever the row says
 */
export const encodeRaw = (rows: RawRows, encoder: Encoder, surface: string, serving: boolean): EncodedRows => {
  const { viewTypes, surfaces } = encoder.set;
  const context = { surfaces: surfaces.indexOf(surface), requestTimes: rows.times, serving };
  const viewTypeIndex = new Map(viewTypes.map((name, index) => [name, index]));
  // Request-side values repeat on every row of a request: its first row speaks for it.
  const perRow = encoder.encodeRows('request', rows.columns, rows.candidateCount, context);
  return {
    requestCount: rows.requestRows.length,
    candidateCount: rows.candidateCount,
    rowToRequest: rows.rowToRequest,
    viewTypes: Int32Array.from(rows.requestRows, (row) => viewTypeIndex.get(`${surface}/${rows.viewTypes[row]!}`) ?? 0),
    requestColumns: new Map([...perRow].map(([name, column]) => [name, gatherColumn(column, rows.requestRows)])),
    candidateColumns: encoder.encodeRows('candidate', rows.columns, rows.candidateCount, context),
  };
};
