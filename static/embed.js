/**
 * The check inside a page of another site:
 *
 *     import { mount } from 'https://check.example/static/embed.js';
 *     const check = mount(element, { session, token, onVerdict, onError });
 *
 * It asks for the camera at once. When it is over `element` is as before, and exactly one of
 * `onVerdict`, `onError` and `onCancel` is called; none after `check.stop()`.
 *
 * @typedef {import('./channel.js').State} State
 * @typedef {import('./session.js').Verdict} Verdict
 * @typedef {{code: import('./problem.js').ProblemCode, title: string, text: string,
 *   advice: string[], retryAfter?: number}} Failure in words for the person; `retryAfter` in seconds
 * @typedef {{
 *   session: string,
 *   token: string,
 *   onState?: (state: State) => void,
 *   onVerdict?: (verdict: Verdict) => void,
 *   onError?: (failure: Failure) => void,
 *   onCancel?: () => void,
 * }} Options `session`, `token`: as the server gave them to the site's own back end
 */

import { Check, FAREWELL_MS } from './check.js';
import { Problem } from './problem.js';
import { givenSession } from './session.js';
import { labels, language, problems } from './words.js';

const STYLES = ['base.css', 'check.css'];

/**
 * @param {HTMLElement} element gets the check as its last child
 * @param {Options} options
 * @returns {{stop: () => void}} `stop` ends the check and removes it
 */
export function mount(element, options) {
  const { host, place, styled } = draw(element);
  const check = new Check(place, { state: (state) => options.onState?.(state) });
  let stopped = false;
  const stop = () => {
    stopped = true;
    check.cancel();
    host.remove();
  };
  const tell = (/** @type {() => void} */ callback) => {
    if (stopped) return;
    stop();
    callback();
  };
  void run();
  return { stop };

  async function run() {
    try {
      await styled;
      const verdict = stopped ? null : await check.run(givenSession(options.session, options.token));
      if (verdict?.verdict === 'live') {
        check.finish();
        await new Promise((resolve) => { setTimeout(resolve, FAREWELL_MS); });
      }
      tell(() => (verdict ? options.onVerdict?.(verdict) : options.onCancel?.()));
    } catch (error) {
      tell(() => options.onError?.(explain(Problem.of(error))));
    }
  }
}

/**
 * A place of its own: the site's styles do not reach into it, nor its styles out.
 *
 * @param {HTMLElement} element
 */
function draw(element) {
  const host = document.createElement('div');
  host.className = 'liveness-check';
  // Dark only where the site around it can be dark too.
  host.toggleAttribute('data-dark', getComputedStyle(element).colorScheme.includes('dark'));
  const root = host.attachShadow({ mode: 'open' });
  const links = STYLES.map((name) => {
    const link = document.createElement('link');
    link.rel = 'stylesheet';
    link.crossOrigin = 'anonymous';
    link.href = new URL(name, import.meta.url).href;
    return link;
  });
  const place = document.createElement('div');
  place.className = 'check';
  place.lang = language;
  place.setAttribute('role', 'group');
  place.setAttribute('aria-label', labels['check.title']);
  root.append(...links, place);
  const styled = Promise.all(links.map((link) => new Promise((resolve) => {
    link.addEventListener('load', resolve);
    link.addEventListener('error', resolve); // rather plain than not at all
  })));
  element.append(host);
  return { host, place, styled };
}

/**
 * @param {Problem} problem
 * @returns {Failure}
 */
function explain({ code, retryAfter }) {
  const { title, text, advice = [] } = problems[code];
  return { code, title, text, advice, retryAfter };
}
