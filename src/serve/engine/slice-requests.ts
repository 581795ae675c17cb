/** Requests of encoded rows, one by one. */
import type { Column, Columns } from '../../data/columns.js';
import type { EncodedRows } from '../../export/open-export.js';
import type { EncodedRequest } from './packed-request.js';

const sliceColumn = (column: Column, from: number, to: number): Column => {
  switch (column.kind) {
    case 'id':
      return { kind: 'id', values: column.values.subarray(from, to) };
    case 'ids':
      // Boundaries count from the first list of all; whoever reads them starts at their first.
      return { kind: 'ids', offsets: column.offsets.subarray(from, to + 1), values: column.values };
    case 'number':
      return { kind: 'number', values: column.values.subarray(from, to) };
    case 'vector':
      return { kind: 'vector', size: column.size, values: column.values.subarray(from * column.size, to * column.size) };
  }
};

const sliceColumns = (columns: Columns, from: number, to: number): Columns => new Map([...columns].map(([name, column]) => [name, sliceColumn(column, from, to)]));

/** Views on each request; candidates of a request follow each other. */
export const sliceRequests = (rows: EncodedRows): readonly EncodedRequest[] => {
  const requests: EncodedRequest[] = [];
  for (let request = 0, from = 0; request < rows.requestCount; request += 1) {
    let to = from;
    while (to < rows.candidateCount && rows.rowToRequest[to] === request) to += 1;
    requests.push({
      candidateCount: to - from,
      viewType: rows.viewTypes[request]!,
      requestColumns: sliceColumns(rows.requestColumns, request, request + 1),
      candidateColumns: sliceColumns(rows.candidateColumns, from, to),
    });
    from = to;
  }
  return requests;
};
