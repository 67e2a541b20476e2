# Thin on purpose: sandbox/bootstrap.py does the work, and works where make is missing.
# Variables given on the command line (make run PORT=9000) reach it as environment.
PYTHON ?= python3
ARGS ?=
FOYER = @$(PYTHON) sandbox/bootstrap.py

.DEFAULT_GOAL := help
.PHONY: run test check stripe-live-check format migrate audit bench bench-settlement bench-orders rehearse lock help

run: ## Open the shop on this machine: PostgreSQL, Valkey, Stripe sandbox, web and worker. PORT=8000
	$(FOYER) run $(ARGS)

test: ## Run every test, browser journeys included. ARGS="-k holds" chooses
	$(FOYER) test $(ARGS)

stripe-live-check: ## The payment scenarios at Stripe itself, test mode: STRIPE_TEST_SECRET_KEY=sk_test_… before going live
	$(FOYER) stripe-live-check $(ARGS)

check: ## Format, lint, types, the house's rules, migration drift
	$(FOYER) check

format: ## Format the code and repair what the linter can
	$(FOYER) format

migrate: ## Bring the database up to date (DATABASE_URL, or the sandbox's own)
	$(FOYER) migrate $(ARGS)

audit: ## Recompute every promise from the rows: nothing oversold, nothing unpaid, nothing lost
	$(FOYER) audit $(ARGS)

bench: ## Measure start time and memory of the whole stack
	$(FOYER) bench $(ARGS)

bench-settlement: ## Measure the way from the bank's yes to the tickets, with and without webhooks, browser, haste
	$(FOYER) bench-settlement $(ARGS)

bench-orders: ## Measure the desk’s orders at 100,000: lists, searches, filters, deep pages, export
	$(FOYER) bench-orders $(ARGS)

rehearse: ## An on-sale rehearsal against the open shop: 64 clients, one hot event
	$(FOYER) rehearse $(ARGS)

lock: ## Pin the requirements again, with hashes (needs uv)
	$(FOYER) lock $(ARGS)

help: ## Show this list
	$(FOYER) help
