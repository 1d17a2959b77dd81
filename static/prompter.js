/** Turns the states of the data channel into one prompt, one hint and the step's progress. */

import * as words from './words.js';

/** Long enough to read a hint, and to not flicker where two take turns. */
const HINT_STAYS_MS = 700;
/** Long enough to read why the check starts over. */
const NOTE_STAYS_MS = 2600;
const FLASH_MS = 700;
/** A new prompt comes first: no hint disturbs it, */
const PROMPT_FIRST_MS = 800;
/** and somebody who has hardly begun to move needs no advice on the move. */
const ADVICE_AFTER_MS = 2000;
const BEGUN = 0.15;
/** @type {(words.Hint | null)[]} */
const ADVICE = ['turn_more', 'blink'];

/**
 * @typedef {import('./channel.js').State} State
 * @typedef {{stage: HTMLElement, prompt: HTMLElement, hint: HTMLElement, steps: HTMLElement,
 *   dots: HTMLElement, count: HTMLElement}} Parts
 */

export class Prompter {
  /** @type {State | null} */
  #last = null;
  #hintUntil = 0;
  #prompted = 0;
  #hintTimer = 0;
  #flashTimer = 0;
  #wanted = '';
  #prompt = '';

  /**
   * @param {Parts} parts
   * @param {import('./ring.js').Ring} ring
   */
  constructor(parts, ring) {
    this.parts = parts;
    this.ring = ring;
  }

  /** Wait for the first state. */
  reset() {
    this.#last = null;
    this.#hintUntil = 0;
    clearTimeout(this.#flashTimer);
    this.parts.stage.classList.remove('passed');
    this.parts.stage.dataset.challenge = '';
    this.parts.steps.hidden = true;
    this.#say('', words.connecting);
    this.#want('');
    this.ring.show(0, 'front');
  }

  /** @param {State} state */
  show(state) {
    const last = this.#last;
    this.#last = state;
    const { step, steps, challenge, hint } = state;
    const over = hint === 'passed' && step >= steps - 1;
    const passed = last !== null && step > last.step;
    if (!last || last.step !== step || last.steps !== steps) this.#showSteps(step, steps);
    this.parts.stage.dataset.challenge = over ? '' : challenge;
    this.ring.show(Math.min(1, Math.max(0, state.progress)), challenge);
    if (over) this.#say('', words.finishing);
    else this.#say(passed ? words.passed : '', words.prompts[challenge]);
    if (passed) this.#pass();
    if (last && step < last.step) this.note(restart(state, last));
    else this.#want(over ? '' : this.#advice(state), hint === 'hold' || hint === 'passed');
  }

  /** All steps are done: fill everything, and wait for what comes. */
  finish() {
    const steps = this.#last?.steps ?? 0;
    this.#showSteps(steps, steps);
    this.parts.stage.dataset.challenge = '';
    this.ring.show(1, this.#last?.challenge ?? 'front');
    this.parts.stage.classList.add('passed');
    this.#say('', words.finishing);
    this.#hintUntil = 0;
    this.#want('');
  }

  /**
   * Say something that matters more than the next hints.
   *
   * @param {string} text
   */
  note(text) {
    this.#hintUntil = 0;
    this.#want(text);
    this.#hintUntil = performance.now() + NOTE_STAYS_MS;
  }

  /**
   * @param {State} state
   * @returns {string} what to change, in words
   */
  #advice({ hint, progress }) {
    const early = performance.now() - this.#prompted < ADVICE_AFTER_MS && progress < BEGUN;
    return !hint || (early && ADVICE.includes(hint)) ? '' : words.hints[hint] ?? '';
  }

  /**
   * @param {string} before for those who listen: that the step before is done
   * @param {string} prompt
   */
  #say(before, prompt) {
    if (prompt === this.#prompt) return;
    this.#prompt = prompt;
    const heard = document.createElement('span');
    heard.className = 'visually-hidden';
    heard.textContent = before ? `${before} ` : '';
    this.parts.prompt.replaceChildren(heard, prompt);
  }

  /**
   * Show a hint now, or when the one before has been there for long enough.
   *
   * @param {string} text
   * @param {boolean} [calm] nothing needs to change
   */
  #want(text, calm = false) {
    if (text === this.#wanted) return;
    this.#wanted = text;
    clearTimeout(this.#hintTimer);
    const apply = () => {
      this.parts.hint.textContent = text;
      this.parts.hint.classList.toggle('calm', calm);
      this.#hintUntil = text ? performance.now() + HINT_STAYS_MS : 0;
    };
    const wait = this.#hintUntil - performance.now();
    if (wait > 0) this.#hintTimer = setTimeout(apply, wait);
    else apply();
  }

  /** Show that a step has passed, and leave the next prompt to itself for a moment. */
  #pass() {
    this.#prompted = performance.now();
    this.#hintUntil = 0;
    this.#want('');
    this.#hintUntil = this.#prompted + PROMPT_FIRST_MS;
    this.parts.stage.classList.add('passed');
    clearTimeout(this.#flashTimer);
    this.#flashTimer = setTimeout(() => this.parts.stage.classList.remove('passed'), FLASH_MS);
    if (!matchMedia('(prefers-reduced-motion: reduce)').matches) navigator.vibrate?.(40);
  }

  /**
   * @param {number} step
   * @param {number} steps
   */
  #showSteps(step, steps) {
    const { steps: bar, dots, count } = this.parts;
    const text = words.stepOf(Math.min(step + 1, steps), steps);
    bar.hidden = false;
    bar.setAttribute('aria-valuemax', String(steps));
    bar.setAttribute('aria-valuenow', String(step));
    bar.setAttribute('aria-valuetext', text);
    count.textContent = text;
    while (dots.children.length > steps) dots.lastElementChild?.remove();
    while (dots.children.length < steps) dots.append(document.createElement('span'));
    [...dots.children].forEach((dot, index) => {
      dot.className = index < step ? 'done' : index === step ? 'now' : '';
    });
  }
}

/**
 * @param {State} state the first one of the new start
 * @param {State} last the one before
 * @returns {string} why it starts over
 */
function restart(state, last) {
  const seen = [state.hint, last.hint];
  if (state.faces > 1 || last.faces > 1 || seen.includes('many_faces')) return words.restarts.many_faces;
  if (!state.face || !last.face || seen.includes('no_face')) return words.restarts.no_face;
  return words.restarts.move;
}
