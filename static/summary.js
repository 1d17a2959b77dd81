/** The steps of a verdict as a list with times, and its way from the page to `/success`. */

import { icon } from './icons.js';
import { recall, remember } from './storage.js';
import * as words from './words.js';

const SUMMARY = 'liveness.summary';

/**
 * @typedef {import('./session.js').Verdict} Verdict
 * @typedef {Pick<Verdict, 'verdict' | 'reasons' | 'challenges' | 'spoof_score'>} Summary
 */

/**
 * Leave the summary for the success page of this tab.
 *
 * @param {Verdict} verdict
 * @returns {boolean} whether it could be left
 */
export function leaveSummary({ verdict, reasons, challenges, spoof_score }) {
  return remember('sessionStorage', SUMMARY, JSON.stringify({ verdict, reasons, challenges, spoof_score }));
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
 * @param {Summary} summary
 */
export function showSteps(list, { verdict, reasons = [], challenges, spoof_score }) {
  const rows = challenges.map(({ challenge, passed, seconds }) =>
    row(words.moves[challenge], passed, passed ? words.seconds(seconds) : words.notDone),
  );
  if (spoof_score !== null) {
    const real = verdict === 'live' || (reasons.includes('presentation_attack') ? false : null);
    rows.push(row(words.face, real === true, words.verdictOnFace(spoof_score, real)));
  }
  list.replaceChildren(...rows);
}

/**
 * @param {string} title
 * @param {boolean} done
 * @param {string} result
 */
function row(title, done, result) {
  const item = document.createElement('li');
  item.className = done ? 'done' : 'open';
  const name = document.createElement('span');
  name.className = 'name';
  name.textContent = title;
  const time = document.createElement('span');
  time.className = 'time';
  time.textContent = result;
  item.append(icon(done ? 'check' : 'open'), name, time);
  return item;
}
