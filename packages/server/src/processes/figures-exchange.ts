// How the process that a scrape happens to reach comes by the figures of the others: it asks them through the first
// process. Must never wait long for one that is busy or dying, and never mix up two scrapes.
import type { Figures } from "../observe/families.ts";

export interface FiguresExchangeOptions {
  /** How many others serve at present. */
  readonly siblingCount: () => number;
  /** Asks all others; each answer comes back with the number. */
  readonly ask: (id: number) => void;
}

/** A process whose event loop stands still for so long is left out of this scrape. */
const PATIENCE_MS = 1_000;

interface Gathering {
  readonly figures: Figures[];
  readonly wantedCount: number;
  readonly end: () => void;
}

export class FiguresExchange {
  readonly #options: FiguresExchangeOptions;
  readonly #underWay = new Map<number, Gathering>();
  #lastId = 0;

  constructor(options: FiguresExchangeOptions) {
    this.#options = options;
  }

  /** What the others say of themselves: all that answer in time. */
  gather(): Promise<readonly Figures[]> {
    const wantedCount = this.#options.siblingCount();
    if (wantedCount === 0) return Promise.resolve([]);
    this.#lastId += 1;
    const id = this.#lastId;
    return new Promise((resolve) => {
      const figures: Figures[] = [];
      const end = (): void => {
        clearTimeout(timer);
        this.#underWay.delete(id);
        resolve(figures);
      };
      const timer = setTimeout(end, PATIENCE_MS);
      this.#underWay.set(id, { figures, wantedCount, end });
      this.#options.ask(id);
    });
  }

  /** One of the others has answered. */
  heard(id: number, figures: Figures): void {
    const gathering = this.#underWay.get(id);
    if (gathering === undefined) return;
    gathering.figures.push(figures);
    if (gathering.figures.length >= gathering.wantedCount) gathering.end();
  }
}
