PRAGMA user_version = 2;
PRAGMA application_id = 1283019621;
BEGIN TRANSACTION;
CREATE TABLE ballots (
            tenant TEXT NOT NULL,
            session TEXT NOT NULL,
            poll INTEGER NOT NULL,
            id BLOB NOT NULL,
            answers TEXT NOT NULL,
            PRIMARY KEY (tenant, session, poll, id)
        ) STRICT, WITHOUT ROWID;
INSERT INTO "ballots" VALUES('school','RM_1',5,X'DDB575CDEAE6AE2546EEEA22141B56B7','[{"kind":"number","number":5}]');
INSERT INTO "ballots" VALUES('school','RM_1',5,X'FB1E9DC596048555B34A89EDDCF7AD1E','[{"kind":"number","number":7}]');
CREATE TABLE drafts (
            tenant TEXT NOT NULL,
            session TEXT NOT NULL,
            poll INTEGER NOT NULL,
            person TEXT NOT NULL,
            at_ms INTEGER NOT NULL,
            answers TEXT NOT NULL,
            PRIMARY KEY (tenant, session, poll, person)
        ) STRICT, WITHOUT ROWID;
INSERT INTO "drafts" VALUES('school','RM_1',5,'u-1',1700000000006,'[{"kind":"text","text":"AeolhIQv6OuBXzwAcnIc0awwD6a4URDt6jRSPoGvMo7NpWP/wMEbbfmSXgrgqs0qICKE4x/EdUw"},null]');
INSERT INTO "drafts" VALUES('school','RM_1',5,'u-3',1700000000007,'[{"kind":"text","text":"Ac4mbqaJMIWFFmIXmd8ro3+1fG8N4sBL4xMYe7g8sGs4R48fJy/BJnU"},null]');
CREATE TABLE events (
            tenant TEXT NOT NULL,
            session TEXT NOT NULL,
            seq INTEGER NOT NULL CHECK (seq > 0),
            at_ms INTEGER NOT NULL,
            event TEXT NOT NULL,
            PRIMARY KEY (tenant, session, seq)
        ) STRICT;
INSERT INTO "events" VALUES('school','RM_1',1,1700000000001,'{"seq":1,"at":1700000000001,"mono_ms":1,"type":"session.started","payload":{"tenant":"school","room":"RM_1","session":"RM_1","policy":{"max_participants":0,"presence_grace_ms":30000,"empty_timeout_ms":300000,"departure_timeout_ms":20000,"max_tracks_per_connection":8},"metadata":""}}');
INSERT INTO "events" VALUES('school','RM_1',2,1700000000002,'{"seq":2,"at":1700000000002,"mono_ms":2,"type":"participant.admitted","payload":{"person":"u-1","profile":{"name":"AeolhIQv6OuBuHYQ/q0Lq20qYaOz4Duh06VY2hGLOJgMGqZ3L+xRlA","metadata":"AeolhIQv6OuBHI/Tu/clLNp0KrJ0pUwIpeVdMQ0NG7M+q5VmXMVpEZFk73QsgewOZ/bqJU0rxKBeLod1xSeUpSk","attributes":{"pronouns":"AeolhIQv6OuBjNBBicUJKDmhubjfq8cNqU5YDV78H6BTnk4GrdKgExwN20A5"},"role":"learner","kind":"standard","permission":{"can_publish":true,"can_subscribe":true,"can_publish_data":true,"can_publish_sources":[],"can_update_metadata":true,"hidden":false,"recorder":false}}}}');
INSERT INTO "events" VALUES('school','RM_1',3,1700000000003,'{"seq":3,"at":1700000000003,"mono_ms":3,"type":"track.published","payload":{"publication":{"track":"TR_u-1","person":"u-1","connection":"PA_u-1","kind":"audio","source":"microphone","name":"AeolhIQv6OuB9eo+QNZhSQzZMraIag0R5XzbBsetr3OEP30SphISnQnsGPee6a3kT5QVDD8","muted":false,"width":0,"height":0,"mime_type":"audio/opus","simulcast":false,"layers":[],"stream":"camera","audio_features":[],"disable_red":false,"encryption":0}}}');
INSERT INTO "events" VALUES('school','RM_1',4,1700000000004,'{"seq":4,"at":1700000000004,"mono_ms":4,"type":"participant.admitted","payload":{"person":"u-3","profile":{"name":"AfpFKmbRchfJPV75x5PdL7vfvO2gQRY0U1+FmMBEIALA0zjp837txVJS","metadata":"AfpFKmbRchfJSw9XvpfI7Vi7Q1CxsQ4Ds9ZLwrH+wlXAfg6jHcPc+H4bEbrQFvXlAV56nCTNaEPJT4xPNx7YF8O8zA","attributes":{"pronouns":"AfpFKmbRchfJGT9Xd8c3QmuKeNbfQUbjVnM0zcWzzcogKS1BmEt12rWqFHNmNQo"},"role":"learner","kind":"standard","permission":{"can_publish":true,"can_subscribe":true,"can_publish_data":true,"can_publish_sources":[],"can_update_metadata":true,"hidden":false,"recorder":false}}}}');
INSERT INTO "events" VALUES('school','RM_1',5,1700000000005,'{"seq":5,"at":1700000000005,"mono_ms":5,"type":"track.published","payload":{"publication":{"track":"TR_u-3","person":"u-3","connection":"PA_u-3","kind":"audio","source":"microphone","name":"AfpFKmbRchfJitBFk4iM97+NMFrblP6RY1GvNpQViRUjmgOm7a7is7bnY2EHVexTqpbngQx4tw","muted":false,"width":0,"height":0,"mime_type":"audio/opus","simulcast":false,"layers":[],"stream":"camera","audio_features":[],"disable_red":false,"encryption":0}}}');
CREATE TABLE heartbeats (
            tenant TEXT NOT NULL,
            session TEXT NOT NULL,
            at_ms INTEGER NOT NULL,
            PRIMARY KEY (tenant, session)
        ) STRICT, WITHOUT ROWID;
INSERT INTO "heartbeats" VALUES('school','RM_1',1700000060000);
CREATE TABLE rooms (
            tenant TEXT NOT NULL,
            name TEXT NOT NULL,
            created_at_ms INTEGER NOT NULL,
            policy TEXT NOT NULL,
            metadata TEXT NOT NULL,
            PRIMARY KEY (tenant, name)
        ) STRICT, WITHOUT ROWID;
INSERT INTO "rooms" VALUES('school','RM_1',1700000000000,'{"max_participants":30}','');
CREATE TABLE sessions (
            tenant TEXT NOT NULL,
            session TEXT NOT NULL,
            room TEXT NOT NULL,
            started_at_ms INTEGER NOT NULL,
            ended_at_ms INTEGER,
            PRIMARY KEY (tenant, session)
        ) STRICT, WITHOUT ROWID;
INSERT INTO "sessions" VALUES('school','RM_1','RM_1',1700000000001,NULL);
CREATE TABLE store (id BLOB NOT NULL) STRICT;
INSERT INTO "store" VALUES(X'25985DA2593BA05469D346FDC1747852');
CREATE INDEX sessions_by_time ON sessions (tenant, started_at_ms, session);
CREATE INDEX sessions_by_room ON sessions (tenant, room, started_at_ms, session);
CREATE UNIQUE INDEX one_live_session_per_room ON sessions (tenant, room) WHERE ended_at_ms IS NULL;
COMMIT;
