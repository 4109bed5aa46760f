// Which secrets sign which header of a webhook's requests, now and after a rotation's overlap. Decided once per
// snapshot of the webhook; must never use a secret whose time is over.
import { createSecretKey, type KeyObject } from "node:crypto";
import {
  DEFAULT_SIGNATURE_PROFILES,
  type SignatureProfile,
  type SignatureRecipe,
  type SigningKeys,
  signatureRecipe,
} from "@posthorn/contract";

/** One signature header and the keys that sign it: several only where receivers accept any of several. */
export interface Signer {
  readonly recipe: SignatureRecipe;
  /** Key objects are a tenth faster than bytes, and nothing prints them. */
  readonly keys: readonly KeyObject[];
}

/** The signers of a webhook's requests; `afterOverlap` takes their place at a moment, without anybody's action. */
export interface Signing {
  readonly signers: readonly Signer[];
  /** From this second of estimated database time on. */
  readonly afterOverlap: { readonly fromSeconds: number; readonly signers: readonly Signer[] } | null;
}

/** Signs with one secret only. */
export function signWithOne(profiles: readonly SignatureProfile[] | null, keys: SigningKeys): Signing {
  return { signers: signersOf(profiles, [keys]), afterOverlap: null };
}

/**
 * Signs with two secrets until the overlap ends, then with the one that stays.
 * @param leading what profiles with room for one signature use meanwhile
 */
export function signWithTwo(
  profiles: readonly SignatureProfile[] | null,
  overlap: {
    readonly leading: SigningKeys;
    readonly other: SigningKeys;
    readonly staying: SigningKeys;
    readonly endsAtMs: number;
  },
): Signing {
  return {
    signers: signersOf(profiles, [overlap.leading, overlap.other]),
    afterOverlap: {
      fromSeconds: Math.floor(overlap.endsAtMs / 1_000),
      signers: signersOf(profiles, [overlap.staying]),
    },
  };
}

/** The signers in force at an attempt's second. */
export function signersAt(signing: Signing, seconds: number): readonly Signer[] {
  const { afterOverlap } = signing;
  return afterOverlap !== null && seconds >= afterOverlap.fromSeconds ? afterOverlap.signers : signing.signers;
}

function signersOf(profiles: readonly SignatureProfile[] | null, secrets: readonly SigningKeys[]): Signer[] {
  return (profiles ?? DEFAULT_SIGNATURE_PROFILES).map((profile) => {
    const recipe = signatureRecipe(profile);
    const used = recipe.carriesSeveral ? secrets : secrets.slice(0, 1);
    return { recipe, keys: used.map((keys) => createSecretKey(keys[recipe.key])) };
  });
}
