/** The steps of a verdict as a list with times, and its way from the page to `/success`. */

import { icon } from './icons.js';
import { recall, remember } from './storage.js';
import * as words from './words.js';

const SUMMARY = 'liveness.summary';

/**
 * @typedef {import('./session.js').Verdict} Verdict
 * @typedef {Pick<Verdict, 'challenges' | 'finished_at'>} Summary
 */

/**
 * Leave the summary for the success page of this tab.
 *
 * @param {Verdict} verdict
 * @returns {boolean} whether it could be left
 */
export function leaveSummary({ challenges, finished_at }) {
  return remember('sessionStorage', SUMMARY, JSON.stringify({ challenges, finished_at }));
}

/** @returns {Summary | null} */
export function takeSummary() {
  const text = recall('sessionStorage', SUMMARY);
  return text ? JSON.parse(text) : null;
}

/** @param {Pick<Verdict, 'challenges'>} verdict @returns {number} seconds of all passed steps */
export function totalSeconds({ challenges }) {
  return challenges.reduce((sum, { passed, seconds }) => sum + (passed ? seconds : 0), 0);
}

/**
 * @param {HTMLElement} list
 * @param {Verdict['challenges']} challenges
 */
export function showSteps(list, challenges) {
  list.replaceChildren(...challenges.map(row));
}

/** @param {Verdict['challenges'][number]} step */
function row({ challenge, passed, seconds }) {
  const item = document.createElement('li');
  item.className = passed ? 'done' : 'open';
  const name = document.createElement('span');
  name.className = 'name';
  name.textContent = words.moves[challenge];
  const time = document.createElement('span');
  time.className = 'time';
  time.textContent = passed ? words.seconds(seconds) : words.notDone;
  item.append(icon(passed ? 'check' : 'open'), name, time);
  return item;
}
