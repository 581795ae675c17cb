/** "Did you mean": the closest known name to one that is not known. */

/** Optimal string alignment distance: insertions, deletions, substitutions and swaps of neighbours. */
const distance = (a: string, b: string): number => {
  let beforePrevious: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row += 1) {
    const current = [row];
    for (let column = 1; column <= b.length; column += 1) {
      const same = a[row - 1] === b[column - 1];
      let best = Math.min(previous[column]! + 1, current[column - 1]! + 1, previous[column - 1]! + (same ? 0 : 1));
      if (row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1]) {
        best = Math.min(best, beforePrevious[column - 2]! + 1);
      }
      current.push(best);
    }
    beforePrevious = previous;
    previous = current;
  }
  return previous[b.length]!;
};

/** No name that is meant is longer; the distance to one takes time with the product of the lengths. */
const LONGEST = 128;

const normalize = (name: string): string => name.toLowerCase().replaceAll(/[\s_-]/g, '');

/**
 * The known name closest to `name`, case and separators aside; `undefined` when none is near enough (more than a
 * third of its letters differ, or it is longer than any name).
 */
export function closest(name: string, known: readonly string[]): string | undefined {
  if (name.length > LONGEST) return undefined;
  const wanted = normalize(name);
  const most = Math.max(1, Math.floor(wanted.length / 3));
  let best: string | undefined;
  let bestDistance = Number.POSITIVE_INFINITY;
  for (const candidate of known) {
    const other = normalize(candidate);
    if (Math.abs(other.length - wanted.length) > most) continue;
    const d = distance(wanted, other);
    if (d < bestDistance) {
      best = candidate;
      bestDistance = d;
    }
  }
  return bestDistance <= most ? best : undefined;
}

/** `"a", "b" or "c"`; at most `limit` names, the rest counted. */
export function listNames(names: readonly string[], limit = 20): string {
  if (names.length === 0) return 'none';
  const quoted = names.slice(0, limit).map((name) => JSON.stringify(name));
  if (names.length > limit) return `${quoted.join(', ')} and ${names.length - limit} more`;
  return quoted.length === 1 ? quoted[0]! : `${quoted.slice(0, -1).join(', ')} or ${quoted.at(-1)!}`;
}

/** The fix for a name that is not known: the closest one, or the list to choose from. */
export function didYouMean(name: string, known: readonly string[]): string {
  const near = closest(name, known);
  if (near !== undefined) return `did you mean ${JSON.stringify(near)}?`;
  return known.length === 0 ? 'remove it' : `use ${listNames(known)}`;
}
