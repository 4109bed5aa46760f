// Where two JSON documents differ, as JSON pointers (RFC 6901). Pure. Must never hold a value: pointers go into the trail.

/** More are cut off. */
const MOST_PATHS = 100;
const MOST_PATH_CHARACTERS = 300;

/**
 * @param before text of one JSON value @param after of another
 * @param root what the pointers begin with
 */
export function changedPaths(before: string, after: string, root: string): string[] {
  if (before === after) return [];
  const paths: string[] = [];
  compare(JSON.parse(before), JSON.parse(after), root, paths);
  // Digits beyond what a double holds, the order of members, blanks: the bytes differ all the same.
  return paths.length === 0 ? [root] : paths.slice(0, MOST_PATHS);
}

function compare(before: unknown, after: unknown, path: string, paths: string[]): void {
  if (Object.is(before, after) || paths.length >= MOST_PATHS) return;
  if (!isContainer(before) || !isContainer(after) || Array.isArray(before) !== Array.isArray(after)) {
    paths.push(path.slice(0, MOST_PATH_CHARACTERS));
    return;
  }
  for (const name of new Set([...Object.keys(before), ...Object.keys(after)])) {
    compare(own(before, name), own(after, name), `${path}/${name.replaceAll("~", "~0").replaceAll("/", "~1")}`, paths);
  }
}

/** Undefined where there is no such member; JSON has no undefined. */
function own(value: Readonly<Record<string, unknown>>, name: string): unknown {
  return Object.hasOwn(value, name) ? value[name] : undefined;
}

function isContainer(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}
