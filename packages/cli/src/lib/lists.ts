// Prints a list of the API up to a limit: a table, or a JSON array. Says when there is more.
import type { Listing } from "@posthorn/client";
import type { Io } from "./io.ts";
import type { Column } from "./table.ts";

export async function printList<Item>(
  io: Io,
  listing: Listing<Item>,
  limit: number,
  columns: readonly Column<Item>[],
  whenEmpty: string,
): Promise<void> {
  // One more than wanted tells whether there is more.
  const items: Item[] = [];
  for await (const item of listing) {
    items.push(item);
    if (items.length > limit) break;
    if (items.length % 200 === 0) io.progress(`${items.length} read…`);
  }
  const shown = items.slice(0, limit);
  if (io.isJson) return io.json(shown);
  io.table(shown, columns, whenEmpty);
  if (items.length > limit) io.note(io.paint("dim", `There are more: --limit ${limit * 10} shows them.`));
}
