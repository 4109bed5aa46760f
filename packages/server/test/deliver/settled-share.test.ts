// When a beat may leave the lanes alone: only while nothing has changed since a look that changed nothing.
// Broken on purpose: settled by epochs alone, a node that joins gets no share before something else moves a lane.
import { expect, test } from "vitest";
import { SettledShare } from "../../src/deliver/settled-share.ts";

const node = (id: string, leaving = false, incarnation = 1) => ({ id, incarnation, beat: 0, leaving });

test("the same lanes and the same nodes need no look; a lane that moved, a node that came, went, leaves or is new do", () => {
  const share = new SettledShare();
  const others = [node("a"), node("b")];
  expect(share.isSettled(7, others)).toBe(false);
  share.settle(7, others);
  expect(share.isSettled(7, [node("b"), { ...node("a"), beat: 9 }])).toBe(true);
  expect(share.isSettled(8, others)).toBe(false);
  for (const changed of [
    [node("a")],
    [...others, node("c")],
    [node("a", true), node("b")],
    [node("a"), node("b", false, 2)],
  ]) {
    expect(share.isSettled(7, changed)).toBe(false);
  }
  share.unsettle();
  expect(share.isSettled(7, others)).toBe(false);
});
