/**
 * The ways from one view to the next, and no others.
 *
 * @typedef {'start' | 'opening' | 'connecting' | 'checking' | 'passed' | 'result' | 'problem'} Phase
 */

/** @type {Record<Phase, Phase[]>} */
const WAYS = {
  start: ['opening', 'problem'],
  opening: ['connecting', 'start', 'problem'],
  connecting: ['checking', 'passed', 'result', 'start', 'problem'],
  checking: ['passed', 'result', 'start', 'problem'],
  passed: ['start'],
  result: ['opening', 'start', 'problem'],
  problem: ['opening', 'start', 'problem'],
};

export class Machine {
  /** @type {Phase} */
  phase = 'start';

  /** @param {(phase: Phase) => void} entered */
  constructor(entered) {
    this.entered = entered;
  }

  /**
   * @param {Phase} phase
   * @throws {Error} where no way leads there
   */
  go(phase) {
    if (!WAYS[this.phase].includes(phase)) throw new Error(`no way from ${this.phase} to ${phase}`);
    this.phase = phase;
    this.entered(phase);
  }
}
