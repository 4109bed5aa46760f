// Lengths of time as people write them: seconds as a number, or a text such as 90s, 30m, 72h, 3d. Pure.

const UNIT_SECONDS = { s: 1, m: 60, h: 3_600, d: 86_400 } as const;
export const DURATION_PATTERN = /^\d{1,9}(?:\.\d{1,3})?[smhd]$/;

/** @returns seconds, or null when the text is no length of time */
export function parseDuration(text: string): number | null {
  if (!DURATION_PATTERN.test(text)) return null;
  return Number(text.slice(0, -1)) * UNIT_SECONDS[text.at(-1) as keyof typeof UNIT_SECONDS];
}
