// Undo and redo.

import { areEqual, NO_MARKS } from "./marks.js";

/** @import { Marks } from "./marks.js" */

export class History {
  /** @type {Marks[]} */
  past = [];
  /** @type {Marks[]} */
  future = [];

  /**
   * @param {Marks} present
   * @param {number} limit how many steps can be undone
   */
  constructor(present = NO_MARKS, limit = 200) {
    this.present = present;
    this.limit = limit;
  }

  /**
   * Make a change that can be undone.
   *
   * @param {Marks} marks
   * @returns {boolean} whether anything has changed
   */
  commit(marks) {
    const before = this.present;
    if (!this.amend(marks)) return false;
    this.past.push(before);
    if (this.past.length > this.limit) this.past.shift();
    return true;
  }

  /**
   * Make a change that is undone together with the last one, as with every further digit of a
   * number that is typed.
   *
   * @param {Marks} marks
   * @returns {boolean} whether anything has changed
   */
  amend(marks) {
    if (areEqual(marks, this.present)) return false;
    this.present = marks;
    this.future = [];
    return true;
  }

  /** @returns {boolean} whether there was anything to undo */
  undo() {
    return this.#step(this.past, this.future);
  }

  /** @returns {boolean} whether there was anything to redo */
  redo() {
    return this.#step(this.future, this.past);
  }

  /** @param {Marks[]} from @param {Marks[]} to */
  #step(from, to) {
    const marks = from.pop();
    if (marks === undefined) return false;
    to.push(this.present);
    this.present = marks;
    return true;
  }
}
