// Who and where: the branches, locations and people by which webhooks are restricted; needs a key with the scope `admin`.
import type { CallOptions, Transport } from "../http/transport.ts";
import type { Listing } from "../listing.ts";
import type {
  OrganisationEntry,
  OrganisationKind,
  OrganisationLoad,
  OrganisationLoaded,
} from "../types/organisation.ts";
import { change, list } from "./read.ts";

export class Organisation {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** Entries of one kind, by id. */
  list(query: { readonly kind: OrganisationKind }, options?: CallOptions): Listing<OrganisationEntry> {
    return list(this.#transport, "/organisation", query, options);
  }

  /** Adds and replaces; the platform's own events keep it current afterwards. */
  async load(entries: OrganisationLoad, options?: CallOptions): Promise<OrganisationLoaded> {
    return (await change(this.#transport, "POST", "/organisation/load", entries, options)).data as OrganisationLoaded;
  }

  /** Forgets an entry. */
  async delete(kind: OrganisationKind, id: string, options?: CallOptions): Promise<void> {
    const path = `/organisation/${encodeURIComponent(id)}`;
    await change(this.#transport, "DELETE", path, undefined, options, { kind });
  }
}
