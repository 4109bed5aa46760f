// Names for the placeholders of an export, made from the webhook's own name, and what each of them stands for.

export interface NamedSecret {
  /** `CRM_CUSTOMER_SYNCHRONIZATION_API_KEY`. */
  readonly name: string;
  /** `API key of "CRM Customer Synchronization"`. */
  readonly meaning: string;
}

/** A value that a file leaves open; written `[NAME]`. */
export class Placeholder {
  readonly name: string;

  constructor(name: string) {
    this.name = name;
  }
}

export class PlaceholderNames {
  readonly #taken = new Map<string, NamedSecret>();

  /** @param what `API_KEY`, the end of the name; `meaning` says it in words */
  placeholder(webhookName: string, what: string, meaning: string): Placeholder {
    const base = upperCase(`${webhookName} ${what}`);
    let name = base;
    for (let count = 2; this.#taken.has(name); count += 1) name = `${base}_${count}`;
    this.#taken.set(name, { name, meaning: `${meaning} of ${JSON.stringify(webhookName)}` });
    return new Placeholder(name);
  }

  get all(): readonly NamedSecret[] {
    return [...this.#taken.values()];
  }
}

/** Letters without their marks, digits and single underscores; a letter first. */
function upperCase(text: string): string {
  const name = text
    .normalize("NFKD")
    .replaceAll(/\p{M}/gu, "")
    .toUpperCase()
    .replaceAll(/[^A-Z0-9]+/g, "_")
    .replaceAll(/^_+|_+$/g, "");
  return /^[A-Z]/.test(name) ? name : `WEBHOOK_${name}`;
}
