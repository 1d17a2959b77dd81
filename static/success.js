/** The success page: the summary that the check left for this tab. */

import { loadIcons } from './icons.js';
import { readServer } from './session.js';
import { showSteps, takeSummary, totalSeconds } from './summary.js';
import { element, fillWords, showKept, showView } from './view.js';
import { doneIn, language } from './words.js';

await loadIcons();
document.documentElement.lang = language;
fillWords();
const summary = takeSummary();
if (summary) {
  showSteps(element('success-steps'), summary);
  element('success-total').textContent = doneIn(totalSeconds(summary));
}
showView(summary ? 'success' : 'empty');
// Where a check starts from a link, there is nothing to go to.
const { needsLink, keepsPictures } = await readServer();
showKept(keepsPictures);
for (const link of document.querySelectorAll('a.button')) {
  /** @type {HTMLElement} */ (link).hidden = needsLink;
}
