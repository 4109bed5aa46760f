// Whether the division of the lanes has to be looked at: not while the same nodes are there and no lane has changed hands
// since a look that found nothing to take and nothing to give. Pure; spares an idle node most of what its beat would read.
import type { OtherNode } from "./deliver.sql.ts";

export class SettledShare {
  #settled: string | undefined;

  /** @param epochs the sum of all lanes' epochs, which rises whenever one changes hands; read before the lanes are */
  isSettled(epochs: number, others: readonly OtherNode[]): boolean {
    return this.#settled === nameOf(epochs, others);
  }

  /** The look that followed these epochs changed nothing and waits for nothing. */
  settle(epochs: number, others: readonly OtherNode[]): void {
    this.#settled = nameOf(epochs, others);
  }

  unsettle(): void {
    this.#settled = undefined;
  }
}

function nameOf(epochs: number, others: readonly OtherNode[]): string {
  const names = others.map(({ id, incarnation, leaving }) => `${id}/${incarnation}/${leaving}`).sort();
  return `${epochs} ${names.join()}`;
}
