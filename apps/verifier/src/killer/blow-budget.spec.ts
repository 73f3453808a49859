import { describe, expect, it } from '@jest/globals';
import { BlowBudget } from './blow-budget.js';

const taken = (budget: BlowBudget): number => {
  let count = 0;
  while (budget.take()) count++;
  return count;
};

describe('a budget of blows', () => {
  it('is used up once all were taken, by whomever', () => {
    const budget = new BlowBudget(5);
    expect(taken(budget)).toBe(5);
    expect(budget).toMatchObject({ left: 0, isOpen: false });
  });

  it('gives no more than was released, and never more than there are', () => {
    const budget = new BlowBudget(5, 0);
    expect(budget).toMatchObject({ left: 5, isOpen: false });
    budget.release(3);
    expect(taken(budget)).toBe(3);
    expect(budget).toMatchObject({ left: 2, isOpen: false });
    budget.release(3);
    expect(taken(budget)).toBe(2);
    budget.release(3);
    expect(budget.take()).toBe(false);
  });

  it('may have no end', () => {
    const budget = new BlowBudget(Infinity);
    for (let i = 0; i < 1_000; i++) expect(budget.take()).toBe(true);
    expect(budget).toMatchObject({ left: Infinity, isOpen: true });
  });
});
