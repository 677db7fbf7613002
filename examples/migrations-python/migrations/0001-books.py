from yoyo import step

steps = [
    step(
        """
        CREATE TABLE books (
            id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            title text NOT NULL
        )
        """,
        "DROP TABLE books",
    ),
]
