/**
 * The page around this one, where it is shown in an iframe, and what the two say to each other. Only
 * origins that the server knows are told anything, or listened to; no message has a token in it.
 *
 * @typedef {'ready' | 'state' | 'verdict' | 'error' | 'cancelled'} Told
 * @typedef {'start' | 'cancel'} Asked
 */

const SOURCE = 'liveness';

export class Parent {
  /** @param {string[]} origins whose pages may be around this one */
  constructor(origins) {
    // The browser has let no other frame this page (frame-ancestors); some tell which one it is.
    const actual = location.ancestorOrigins?.[0];
    this.origins = origins.filter((origin) => !actual || origin === actual);
  }

  /**
   * @param {Told} type
   * @param {object} details
   */
  tell(type, details) {
    for (const origin of this.origins) {
      window.parent.postMessage({ source: SOURCE, type, ...details }, origin);
    }
  }

  /** @param {Record<Asked, () => void>} actions */
  listen(actions) {
    addEventListener('message', ({ source, origin, data }) => {
      if (source !== window.parent || !this.origins.includes(origin)) return;
      if (data?.source === SOURCE && Object.hasOwn(actions, data.type)) {
        actions[/** @type {Asked} */ (data.type)]();
      }
    });
  }
}

/** Whether another page is around this one. */
export const framed = window.parent !== window;
