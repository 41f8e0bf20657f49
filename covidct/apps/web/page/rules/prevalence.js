// What answers are worth where COVID-19 is rarer or more frequent, as covidct/inference/prevalence.py has it.
// Knows the arithmetic only.

/** The probability whose odds are those given times odds(prevalence) / odds(calibratedAt). */
export function shiftProbability(probability, prevalence, calibratedAt) {
  // Without odds, which are infinite at 1.
  const ill = (probability * prevalence) / calibratedAt;
  const well = ((1 - probability) * (1 - prevalence)) / (1 - calibratedAt);
  return ill / (ill + well);
}

/** PPV and NPV by Bayes' rule; null where nothing is called positive, or negative. */
export function predictiveValues({ sensitivity, specificity }, prevalence) {
  const hit = sensitivity * prevalence;
  const falseAlarm = (1 - specificity) * (1 - prevalence);
  const cleared = specificity * (1 - prevalence);
  const missed = (1 - sensitivity) * prevalence;
  return {
    ppv: hit + falseAlarm ? hit / (hit + falseAlarm) : null,
    npv: cleared + missed ? cleared / (cleared + missed) : null,
  };
}
