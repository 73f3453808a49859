import { type Alert, alertText, type AlertColumns } from './alert-columns.js';
import type { Violations } from './violation.js';

/**
 * Compares the alerts of one sensor with those that the model expects, and names every difference:
 *
 *   1. an alert that is there more often than expected is a second one, an altered one (the model has one of that time that is lacking) or
 *      an alien
 *   2. an alert that is there less often than expected, and was not altered, is missing
 *   3. what is left on both sides is the same set, and must be in the same order
 */
export function compareAlerts(sensor: string, expected: AlertColumns, actual: AlertColumns, violations: Violations): void {
  if (expected.equals(actual)) return;
  const model = expected.all();
  const output = actual.all();
  const surplus = withoutFirst(output, counted(model));
  const lacking = withoutFirst(model, counted(output));
  const known = counted(model);
  const say = (alert: Alert): string => `${sensor}: ${alertText(alert)}`;

  const altered = new Set<Alert>();
  for (const alert of surplus) {
    const meant = lacking.find((each) => each.timestamp === alert.timestamp && !altered.has(each));
    if (known.has(alertText(alert))) violations.add('alert-twice', say(alert));
    else if (meant === undefined) violations.add('alert-alien', say(alert));
    else {
      altered.add(meant);
      violations.add('alert-altered', `${say(alert)}, and the model says ${alertText(meant)}`);
    }
  }
  for (const alert of lacking) if (!altered.has(alert)) violations.add('alert-missing', say(alert));
  compareOrder(sensor, without(model, lacking), without(output, surplus), violations);
}

function compareOrder(sensor: string, expected: readonly Alert[], actual: readonly Alert[], violations: Violations): void {
  const at = expected.findIndex((alert, i) => alertText(alert) !== alertText(actual[i]!));
  if (at >= 0)
    violations.add('alert-order', `${sensor}: alert ${at} is ${alertText(actual[at]!)}, and the model's is ${alertText(expected[at]!)}`);
}

function counted(alerts: readonly Alert[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const alert of alerts) counts.set(alertText(alert), (counts.get(alertText(alert)) ?? 0) + 1);
  return counts;
}

/** The alerts that remain when each of `counts` has taken away its first occurrences. */
function withoutFirst(alerts: readonly Alert[], counts: Map<string, number>): Alert[] {
  return alerts.filter((alert) => {
    const left = counts.get(alertText(alert)) ?? 0;
    if (left > 0) counts.set(alertText(alert), left - 1);
    return left === 0;
  });
}

const without = (alerts: readonly Alert[], gone: readonly Alert[]): Alert[] => {
  const away = new Set(gone);
  return alerts.filter((alert) => !away.has(alert));
};
