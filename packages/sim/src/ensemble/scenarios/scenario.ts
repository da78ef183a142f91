/**
 * A scenario is a story of ZooKeeper's past told against our code, together with the bug that made it necessary: the story passes, and
 * fails once the bug is put back from outside. Both are tests, so that nobody has to believe that the story would notice.
 *
 * The table of all of them is in docs/zab.md.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';

export interface PlantedBug {
  /** What is wrong while it is planted, for people. */
  readonly bug: string;
  /** Patches a class or a collaborator; returns how to take that back. */
  readonly plant: () => () => void;
  /** How the story must fail: so that it is the bug that makes it fail. */
  readonly caughtBy: RegExp;
}

/** `number`: of the group in the list of historic bugs, 1 to 30. */
export function scenario(number: number, title: string, story: () => void, ...bugs: readonly PlantedBug[]): void {
  test(`${number}. ${title}`, story);
  for (const { bug, plant, caughtBy } of bugs) {
    test(`${number}. ${title} – seen when planted: ${bug}`, () => {
      const undo = plant();
      try {
        assert.throws(story, caughtBy);
      } finally {
        undo();
      }
    });
  }
}
