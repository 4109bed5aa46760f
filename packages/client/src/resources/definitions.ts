// Business rules and code tables: named once, used by any number of webhooks, changed in one place.
import { type CallOptions, pathOf, type Transport } from "../http/transport.ts";
import type { Listing } from "../listing.ts";
import type {
  CodeTable,
  CodeTableChange,
  CodeTableVersion,
  NewCodeTable,
  NewRule,
  Rule,
  RuleChange,
  RuleVersion,
} from "../types/definition.ts";
import { type ChangeOptions, change, list, tagged } from "./read.ts";

type Paging = { readonly limit?: number };
/** Carries the mark of its state: what was read can be an `ifMatch`. */
type Tagged<Data> = Data & { readonly etag: string };

/** The calls that both kinds have. */
class Definitions<Shown extends object, New extends object, Change extends object, Version> {
  readonly #transport: Transport;
  readonly #path: string;

  constructor(transport: Transport, path: string) {
    this.#transport = transport;
    this.#path = path;
  }

  /** Makes one. */
  async create(definition: New, options?: CallOptions): Promise<Tagged<Shown>> {
    return tagged<Shown>(await change(this.#transport, "POST", this.#path, definition, options));
  }

  /** Reads one, with who uses it. */
  async get(name: string, options?: CallOptions): Promise<Tagged<Shown>> {
    const request = { method: "GET", path: this.#of(name), repeatable: "always", ...options } as const;
    return tagged<Shown>(await this.#transport.send(request));
  }

  /** Lists them by name. */
  list(query?: Paging, options?: CallOptions): Listing<Shown> {
    return list(this.#transport, this.#path, query, options);
  }

  /** Replaces the fields given for everything that uses it, everywhere within two seconds; `null` takes one away. */
  async update(name: string, fields: Change, options?: ChangeOptions): Promise<Tagged<Shown>> {
    return tagged<Shown>(await change(this.#transport, "PATCH", this.#of(name), fields, options));
  }

  /** Deletes one that nothing uses; 409 `CONFLICT` names its users. Its versions stay. */
  async remove(name: string, options?: ChangeOptions): Promise<void> {
    await change(this.#transport, "DELETE", this.#of(name), undefined, options);
  }

  /** What it said and when, newest first; of a deleted one too. */
  versions(name: string, query?: Paging, options?: CallOptions): Listing<Version> {
    return list(this.#transport, `${this.#of(name)}/versions`, query, options);
  }

  #of(name: string): string {
    return `${this.#path}${pathOf`/${name}`}`;
  }
}

/** Business rules: `rule.large_order` in filters and templates. */
export class Rules extends Definitions<Rule, NewRule, RuleChange, RuleVersion> {
  constructor(transport: Transport) {
    super(transport, "/rules");
  }
}

/** Code tables: `lookup("tax", code)` in filters and templates. */
export class CodeTables extends Definitions<CodeTable, NewCodeTable, CodeTableChange, CodeTableVersion> {
  constructor(transport: Transport) {
    super(transport, "/code-tables");
  }
}
