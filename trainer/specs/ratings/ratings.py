"""Makes ratings.csv.gz: 40,000 ratings that no person gave, by a seeded generator.

    python3 trainer/specs/ratings/ratings.py

700 users and 1,500 films have a bias and four tastes each, drawn from normal distributions; a rating
is 3.5 + both biases + the product of the tastes + noise, rounded to halves between 0.5 and 5. Users
and films are drawn by 1 / sqrt(rank), so that some are rated often and many rarely.
"""
import gzip
import os

import numpy

USERS, FILMS, RATINGS, TASTES = 700, 1500, 40_000, 4
HERE = os.path.dirname(os.path.abspath(__file__))


def often(chance, count, size):
    odds = 1 / numpy.sqrt(numpy.arange(1, count + 1))
    return chance.choice(count, size=size, p=odds / odds.sum())


def main():
    chance = numpy.random.default_rng(2016)
    user_bias, film_bias = chance.normal(0, 0.4, USERS), chance.normal(0, 0.5, FILMS)
    user, film = chance.normal(0, 0.6, (USERS, TASTES)), chance.normal(0, 0.6, (FILMS, TASTES))
    users, films = often(chance, USERS, 2 * RATINGS), often(chance, FILMS, 2 * RATINGS)
    lines, seen = ["user,film,rating"], set()
    for u, f, noise in zip(users, films, chance.normal(0, 0.5, 2 * RATINGS)):
        if (u, f) in seen or len(lines) > RATINGS:
            continue
        seen.add((u, f))
        rating = 3.5 + user_bias[u] + film_bias[f] + user[u] @ film[f] + noise
        lines.append(f"{u + 1},{f + 1},{min(5, max(0.5, round(2 * rating) / 2))}")
    with open(HERE + "/ratings.csv.gz", "wb") as file:
        file.write(gzip.compress(("\n".join(lines) + "\n").encode(), 9, mtime=0))


if __name__ == "__main__":
    main()
