// Numbers, sizes and failures of files in words, for commands that read and write large ones.
import { CommandFailure } from "./exit.ts";

const UNITS = ["kB", "MB", "GB", "TB"];

/** 1234567 becomes 1.2 MB. */
export function byteText(byteCount: number): string {
  if (byteCount < 1000) return `${byteCount} B`;
  let amount = byteCount;
  let unit = "B";
  for (const next of UNITS) {
    if (amount < 999.5) break;
    amount /= 1000;
    unit = next;
  }
  return `${amount < 10 ? amount.toFixed(1) : amount.toFixed(0)} ${unit}`;
}

/** "1 row", "12,345 rows". */
export function countText(count: number, one: string, many = `${one}s`): string {
  return `${count.toLocaleString("en-US")} ${count === 1 ? one : many}`;
}

/** What the system says of a file that cannot be read or written, as a failure; null when it is something else. */
export function openFailure(error: unknown): CommandFailure | null {
  const { code, path } = (error ?? {}) as NodeJS.ErrnoException;
  const file = path ?? "The file";
  switch (code) {
    case "ENOENT":
      return new CommandFailure("FILE_NOT_FOUND", `${file} is not there.`);
    case "EACCES":
    case "EPERM":
    case "EROFS":
    case "EISDIR":
    case "ENOTDIR":
      return new CommandFailure("NO_ACCESS", `${file} cannot be used (${code}).`);
    case "ENOSPC":
    case "EDQUOT":
    case "EFBIG":
      return new CommandFailure("DISK_FULL", `There is no room for the file (${code}); what was written is removed.`);
    default:
      return null;
  }
}
