import { DataError } from '../config/errors.js';

/** DuckDB's account of a broken CSV row as an error that names the file and line; `undefined` for any other message. */
export const explainCsvError = (error: unknown, owner: string, file?: string): DataError | undefined => {
  const message = error instanceof Error ? error.message : String(error);
  if (!message.includes('CSV Error')) return undefined;
  const named = /^\s*file\s*=\s*(.+)$/m.exec(message)?.[1]?.trim();
  const place = named !== undefined && named !== '' ? named : (file ?? 'a CSV file');
  const line = /Line: (\d+)/.exec(message)?.[1];
  const original = /Original Line: ([^\n]*)/.exec(message)?.[1];
  const columns = /Expected Number of Columns: (\d+) Found: (\d+)/.exec(message);
  const conversion = /Error when converting column "([^"]*)"\. (Could not convert string "[^\n]*)/.exec(message);
  const problem = conversion === null ? 'is malformed or cut off' : `does not fit: column "${conversion[1]!}": ${conversion[2]!}`;
  return new DataError(
    `${owner}: ${place}${line === undefined ? '' : ` line ${line}`} ${problem}${original === undefined ? '' : `: ${original.slice(0, 200)}`}`,
    {
      where: line === undefined ? place : `${place}:${line}`,
      expected:
        conversion !== null
          ? 'one type of values in a column of all files'
          : columns === null
            ? 'values separated and quoted as the header is'
            : `${columns[1]!} values as in the header, found ${columns[2]!}`,
      fix: conversion === null ? 'correct the line, or write the file again if it was cut off' : 'write the column in one way in every file',
      cause: error,
    },
  );
};
