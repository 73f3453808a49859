/** The one spelling of a task in logs, spans and health: sub-topology and index, `0-3`. */
export const taskName = (of: { readonly subTopology: number; readonly task: number }): string => `${of.subTopology}-${of.task}`;
