PRAGMA user_version = 1;
PRAGMA application_id = 1283017573;
BEGIN TRANSACTION;
CREATE TABLE store (id BLOB NOT NULL) STRICT;
INSERT INTO store VALUES(X'25985da2593ba05469d346fdc1747852');
CREATE TABLE person_keys (
            tenant TEXT NOT NULL,
            person TEXT NOT NULL,
            id BLOB NOT NULL,
            key BLOB NOT NULL,
            PRIMARY KEY (tenant, person)
        ) STRICT, WITHOUT ROWID;
INSERT INTO person_keys VALUES('school','u-1',X'ea2584842fe8eb81',X'45f6960cb86e06bf6c238f7548bac96ff475f8a606f49cae38a1d06f1399d358');
COMMIT;
