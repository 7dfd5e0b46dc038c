"""The stage of the centre that computes derived series: when, from which rows, and what of it is news to the store."""
