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
  time_limit: 'clock', face_lost: 'face', wrong_moves: 'face', live: 'check',
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

/** Put the words into the page. */
export function fillWords() {
  document.documentElement.lang = words.language;
  for (const place of document.querySelectorAll('[data-word], [data-label]')) {
    const { word, label } = /** @type {HTMLElement} */ (place).dataset;
    if (word) place.textContent = wordFor(word);
    if (label) place.setAttribute('aria-label', wordFor(label));
  }
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

/** @param {import('./problem.js').Problem} problem */
export function showProblem(problem) {
  const message = words.problems[problem.code];
  fillMessage('problem', message, problem.code);
  element('problem-action').textContent = message.action ?? words.labels.again;
  showView('problem');
}

/**
 * @param {import('./session.js').Verdict} verdict
 * @param {boolean} fromLink
 */
export function showResult(verdict, fromLink) {
  const [reason = ''] = verdict.reasons;
  const live = verdict.verdict === 'live'; // where the browser keeps no summary for the next page
  const message = live ? words.live : words.reasons[reason] ?? words.unknownReason;
  fillMessage('result', message, live ? 'live' : reason);
  showSteps(element('result-steps'), verdict);
  element('result-done').hidden = verdict.challenges.length === 0;
  element('result-note').textContent = fromLink ? words.linkSpent : '';
  showView('result');
}

/**
 * Count the seconds down after which a full server asked to be tried again.
 *
 * @param {number} wait seconds
 * @returns {() => void} ends it
 */
export function countDown(wait) {
  const place = element('problem-wait');
  const until = performance.now() + wait * 1000;
  const show = () => {
    const left = Math.max(0, Math.ceil((until - performance.now()) / 1000));
    place.textContent = words.placeIn(left);
    if (left === 0) clearInterval(timer);
  };
  const timer = setInterval(show, 1000);
  show();
  return () => {
    clearInterval(timer);
    place.textContent = '';
  };
}

/**
 * Offer the cameras where there is a choice.
 *
 * @param {MediaDeviceInfo[]} cameras
 * @param {string | undefined} current
 */
export function showCameras(cameras, current) {
  const select = /** @type {HTMLSelectElement} */ (element('camera'));
  select.replaceChildren(
    ...cameras.map(({ label, deviceId }, index) => {
      const name = label || `${words.labels['check.camera']} ${index + 1}`;
      return new Option(name, deviceId, false, deviceId === current);
    }),
  );
  element('camera-choice').hidden = cameras.length < 2;
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
