/** The page's views: which one is seen, what it says, and where the focus goes. */

import { icon } from './icons.js';
import { showSteps } from './summary.js';
import * as words from './words.js';

/** @type {Record<string, string>} the icon of a problem or reason; others get `alert` */
const ICONS = {
  denied: 'camera-off', dismissed: 'camera', no_camera: 'camera-off', in_use: 'camera',
  camera_lost: 'camera-off', no_media: 'camera-off', insecure: 'lock', full: 'people',
  many_faces: 'people', link_used: 'link', link_needed: 'link', unreachable: 'network',
  lost: 'network', not_connected: 'network', never_connected: 'network', peer_left: 'network',
  too_often: 'clock', time_limit: 'clock', face_lost: 'face', wrong_moves: 'face', live: 'check',
};

/**
 * @param {string} id
 * @returns {HTMLElement}
 */
export function element(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no #${id}`);
  return found;
}

/**
 * Put the words where they belong.
 *
 * @param {ParentNode} root
 */
export function fillWords(root = document) {
  for (const place of root.querySelectorAll('[data-word], [data-label]')) {
    const { word, label } = /** @type {HTMLElement} */ (place).dataset;
    if (word) place.textContent = wordFor(word);
    if (label) place.setAttribute('aria-label', wordFor(label));
  }
}

/**
 * Say what is kept of the person, once that is known: nobody is promised anything before.
 *
 * @param {boolean | null} pictures
 */
export function showKept(pictures) {
  const place = document.querySelector('[data-kept]');
  if (place && pictures !== null) place.textContent = pictures ? words.kept.pictures : words.kept.nothing;
}

/**
 * Show one view and hide the others; its heading gets the focus, so that it is read out.
 *
 * @param {string} id
 * @param {{focus?: boolean}} [options]
 */
export function showView(id, { focus = true } = {}) {
  for (const view of document.querySelectorAll('main > section')) {
    /** @type {HTMLElement} */ (view).hidden = view.id !== id;
  }
  document.body.dataset.view = id;
  const heading = element(id).querySelector('h1');
  document.title = `${heading?.textContent} - ${words.product}`;
  scrollTo(0, 0);
  if (focus) heading?.focus({ preventScroll: true });
}

/**
 * @param {import('./problem.js').Problem} problem
 * @param {string} action what the button says, empty where there is nothing to do here
 */
export function showProblem(problem, action) {
  fillMessage('problem', words.problems[problem.code], problem.code);
  fillAction('problem', action);
  showView('problem');
}

/**
 * @param {import('./session.js').Verdict} verdict
 * @param {string} action what the button says, empty where there is nothing to do here
 * @param {string} note
 */
export function showResult(verdict, action, note) {
  const [reason = ''] = verdict.reasons;
  const live = verdict.verdict === 'live'; // where the browser keeps no summary for the next page
  const message = live ? words.live : words.reasons[reason] ?? words.unknownReason;
  fillMessage('result', message, live ? 'live' : reason);
  showSteps(element('result-steps'), verdict);
  element('result-done').hidden = verdict.challenges.length === 0;
  fillAction('result', action);
  element('result-note').textContent = note;
  showView('result');
}

/**
 * Count seconds down.
 *
 * @param {HTMLElement} place
 * @param {number} wait seconds
 * @param {(left: number) => string} text
 * @param {() => void} [over]
 * @returns {() => void} ends it
 */
export function countDown(place, wait, text, over = () => {}) {
  const until = performance.now() + wait * 1000;
  const show = () => {
    const left = Math.max(0, Math.ceil((until - performance.now()) / 1000));
    place.textContent = text(left);
    if (left > 0) return;
    clearInterval(timer);
    over();
  };
  const timer = setInterval(show, 1000);
  show();
  return () => {
    clearInterval(timer);
    place.textContent = '';
  };
}

/**
 * Offer cameras.
 *
 * @param {HTMLSelectElement} select
 * @param {MediaDeviceInfo[]} cameras
 * @param {string | undefined} current
 */
export function fillCameras(select, cameras, current) {
  select.replaceChildren(
    ...cameras.map(({ label, deviceId }, index) => {
      const name = label || `${words.labels['check.camera']} ${index + 1}`;
      return new Option(name, deviceId, false, deviceId === current);
    }),
  );
}

/**
 * @param {string} view
 * @param {string} action
 */
function fillAction(view, action) {
  const button = element(`${view}-action`);
  button.textContent = action;
  button.hidden = !action;
}

/**
 * @param {string} view
 * @param {import('./words.js').Message} message
 * @param {string} code
 */
function fillMessage(view, message, code) {
  element(`${view}-icon`).replaceChildren(icon(ICONS[code] ?? 'alert'));
  element(`${view}-title`).textContent = message.title;
  element(`${view}-text`).textContent = message.text;
  element(`${view}-advice`).replaceChildren(
    ...(message.advice ?? []).map((advice) => {
      const item = document.createElement('li');
      item.textContent = advice;
      return item;
    }),
  );
  element(view).dataset.code = code;
}

/** @param {string} name */
function wordFor(name) {
  const text = /** @type {Record<string, string>} */ (words.labels)[name];
  if (text === undefined) throw new Error(`no word for ${name}`);
  return text;
}
