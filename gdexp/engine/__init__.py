"""How a descent is computed: one portable arithmetic, with the same bits everywhere."""
