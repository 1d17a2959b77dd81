/** The success page: the summary that the check left for this tab. */

import { loadIcons } from './icons.js';
import { showSteps, takeSummary, totalSeconds } from './summary.js';
import { element, fillWords, showView } from './view.js';
import { doneIn } from './words.js';

await loadIcons();
fillWords();
const summary = takeSummary();
if (summary) {
  showSteps(element('success-steps'), summary);
  element('success-total').textContent = doneIn(totalSeconds(summary));
}
showView(summary ? 'success' : 'empty');
