// Somebody who manages keys: what he may hand on is what his own key may do.
import type { Actor } from "./actor.ts";

export interface KeyActor extends Actor {
  /** Whether the actor's key may do what a scope names; `admin` holds all scopes but `operator`. */
  readonly holds: (scope: string) => boolean;
}
