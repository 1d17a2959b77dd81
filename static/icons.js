/** The icons of `icons.svg`, kept in the page: they are needed most when the server is gone. */

const NAMESPACE = 'http://www.w3.org/2000/svg';

/** Put the symbols into the page, where `<use href="#icon-name">` finds them. */
export async function loadIcons() {
  const response = await fetch('/static/icons.svg');
  const { documentElement } = new DOMParser().parseFromString(await response.text(), 'image/svg+xml');
  documentElement.setAttribute('hidden', '');
  document.body.prepend(document.adoptNode(documentElement));
}

/**
 * @param {string} name of a symbol
 * @returns {SVGSVGElement}
 */
export function icon(name) {
  const svg = document.createElementNS(NAMESPACE, 'svg');
  const use = document.createElementNS(NAMESPACE, 'use');
  svg.setAttribute('class', 'icon');
  svg.setAttribute('aria-hidden', 'true');
  use.setAttribute('href', `#icon-${name}`);
  svg.append(use);
  return svg;
}
