BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0005');
CREATE TABLE brake (
	id INTEGER NOT NULL, 
	connection VARCHAR NOT NULL, 
	name VARCHAR NOT NULL, 
	evidence VARCHAR NOT NULL, 
	state VARCHAR NOT NULL, 
	set_at DATETIME NOT NULL, 
	released_at DATETIME, links TEXT DEFAULT '[]' NOT NULL, judged TEXT DEFAULT '{}' NOT NULL, size INTEGER DEFAULT '0' NOT NULL, released_by VARCHAR DEFAULT '' NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "brake" VALUES(1,'london','mass-delete','40 of 100 links','set','2026-03-02 12:00:00.000000',NULL,'[]','{}',0,'');
CREATE TABLE "conflict" (
	id INTEGER NOT NULL, 
	connection VARCHAR NOT NULL, 
	link_id INTEGER, 
	nexudus_id VARCHAR NOT NULL, 
	crm_id VARCHAR NOT NULL, 
	field VARCHAR NOT NULL, 
	base TEXT, 
	nexudus TEXT, 
	crm TEXT, 
	state VARCHAR NOT NULL, 
	take VARCHAR, 
	reason VARCHAR, 
	opened_at DATETIME NOT NULL, 
	closed_at DATETIME, kind VARCHAR DEFAULT 'field' NOT NULL, side VARCHAR DEFAULT '' NOT NULL, edits TEXT DEFAULT '{}' NOT NULL, value TEXT, decided_by VARCHAR DEFAULT '' NOT NULL, decided_at DATETIME, 
	PRIMARY KEY (id)
);
INSERT INTO "conflict" VALUES(1,'london',NULL,'7001','b3c1','opportunity_amount',NULL,'10.10','12','open',NULL,NULL,'2026-03-02 12:00:00.000000',NULL,'field','','{}',NULL,'',NULL);
CREATE TABLE connection_state (
	name VARCHAR NOT NULL, 
	crm VARCHAR NOT NULL, 
	nexudus_cursor VARCHAR, 
	crm_cursor VARCHAR, 
	backfilled_at DATETIME, 
	create_since VARCHAR, 
	last_success DATETIME, 
	last_reconcile DATETIME, 
	cycles INTEGER NOT NULL, 
	mapping_digest VARCHAR NOT NULL, 
	mapped_paths TEXT NOT NULL, paused_at DATETIME, paused_by VARCHAR DEFAULT '' NOT NULL, 
	PRIMARY KEY (name)
);
INSERT INTO "connection_state" VALUES('london','overplane','2026-03-02',NULL,NULL,'2026-03-02',NULL,NULL,3,'','[]',NULL,'');
CREATE TABLE decision (
	id INTEGER NOT NULL, 
	connection VARCHAR NOT NULL, 
	kind VARCHAR NOT NULL, 
	args TEXT NOT NULL, 
	asked_at DATETIME NOT NULL, 
	done_at DATETIME, 
	outcome VARCHAR, asked_by VARCHAR DEFAULT '' NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "decision" VALUES(1,'london','link','{"nexudus":"7002","crm":"c9"}','2026-03-02 12:00:00.000000',NULL,NULL,'');
CREATE TABLE fact (
	system VARCHAR NOT NULL, 
	"key" VARCHAR NOT NULL, 
	value TEXT, 
	PRIMARY KEY (system, "key")
);
INSERT INTO "fact" VALUES('overplane','page_size','100');
CREATE TABLE failure (
	id INTEGER NOT NULL, 
	connection VARCHAR NOT NULL, 
	kind VARCHAR NOT NULL, 
	field VARCHAR NOT NULL, 
	reason VARCHAR NOT NULL, 
	nexudus_id VARCHAR NOT NULL, 
	crm_id VARCHAR NOT NULL, 
	attempts INTEGER NOT NULL, 
	state VARCHAR NOT NULL, 
	first_at DATETIME NOT NULL, 
	last_at DATETIME NOT NULL, 
	next_attempt DATETIME, 
	PRIMARY KEY (id)
);
INSERT INTO "failure" VALUES(1,'london','unmapped','sales_stage','no stage Tour','7001','b3c1',1,'open','2026-03-02 12:00:00.000000','2026-03-02 12:00:00.000000',NULL);
CREATE TABLE history (
	id INTEGER NOT NULL, 
	at DATETIME NOT NULL, 
	connection VARCHAR NOT NULL, 
	field VARCHAR NOT NULL, 
	old TEXT, 
	new TEXT, 
	lost TEXT, 
	from_side VARCHAR NOT NULL, 
	nexudus_id VARCHAR NOT NULL, 
	crm_id VARCHAR NOT NULL, decided_by VARCHAR DEFAULT '' NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "history" VALUES(1,'2026-03-02 12:00:00.000000','london','title','"Desk"','"Café – desk"',NULL,'nexudus','7001','b3c1','');
CREATE TABLE "journal" (
	id INTEGER NOT NULL, 
	connection VARCHAR NOT NULL, 
	side VARCHAR NOT NULL, 
	kind VARCHAR NOT NULL, 
	link_id INTEGER, 
	nexudus_id VARCHAR NOT NULL, 
	crm_id VARCHAR NOT NULL, 
	step TEXT NOT NULL, 
	fields TEXT NOT NULL, 
	state VARCHAR NOT NULL, 
	planned_at DATETIME NOT NULL, 
	sent_at DATETIME, 
	done_at DATETIME, 
	looks INTEGER NOT NULL, 
	outcome VARCHAR, 
	not_found BOOLEAN DEFAULT 0 NOT NULL, 
	refused TEXT DEFAULT '[]' NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "journal" VALUES(1,'london','crm','update',NULL,'7001','b3c1','{}','{"title":"Desk"}','planned','2026-03-02 12:00:00.000000',NULL,NULL,0,NULL,0,'[]');
CREATE TABLE leases (
	"key" VARCHAR NOT NULL, 
	holder VARCHAR NOT NULL, 
	epoch INTEGER NOT NULL, 
	until DATETIME, 
	deadline FLOAT NOT NULL, 
	PRIMARY KEY ("key")
);
INSERT INTO "leases" VALUES('overplane','worker 1',7,'2026-03-02 12:00:00.000000',30.0);
CREATE TABLE "link" (
	id INTEGER NOT NULL, 
	crm VARCHAR NOT NULL, 
	connection VARCHAR NOT NULL, 
	nexudus_id VARCHAR NOT NULL, 
	nexudus_identity VARCHAR DEFAULT '' NOT NULL, 
	crm_id VARCHAR NOT NULL, 
	crm_identity VARCHAR NOT NULL, 
	state VARCHAR NOT NULL, 
	closed_reason VARCHAR, 
	nexudus_stamp VARCHAR NOT NULL, 
	crm_stamp VARCHAR NOT NULL, 
	nexudus_stamped_at DATETIME, 
	crm_stamped_at DATETIME, 
	nexudus_noted_at DATETIME, 
	crm_noted_at DATETIME, 
	nexudus_digest VARCHAR NOT NULL, 
	crm_digest VARCHAR NOT NULL, 
	nexudus_changed_at DATETIME, 
	crm_changed_at DATETIME, 
	nexudus_recheck BOOLEAN NOT NULL, 
	crm_recheck BOOLEAN NOT NULL, 
	crm_children_at DATETIME, 
	is_lost BOOLEAN NOT NULL, 
	bounces TEXT NOT NULL, 
	created_at DATETIME NOT NULL, 
	verified_at DATETIME, 
	nexudus_snapshot TEXT NOT NULL, 
	crm_snapshot TEXT NOT NULL, title VARCHAR DEFAULT '' NOT NULL, customer VARCHAR DEFAULT '' NOT NULL, nexudus_changed_by VARCHAR DEFAULT '' NOT NULL, crm_changed_by VARCHAR DEFAULT '' NOT NULL, 
	PRIMARY KEY (id), 
	CONSTRAINT uq_link_crm UNIQUE (crm, crm_id, crm_identity), 
	CONSTRAINT uq_link_nexudus UNIQUE (crm, nexudus_id, nexudus_identity)
);
INSERT INTO "link" VALUES(1,'overplane','london','7001','','b3c1','','active',NULL,'2026-03-02T11:00:00Z|anna','',NULL,NULL,NULL,NULL,'','',NULL,NULL,0,0,NULL,0,'{}','2026-03-02 12:00:00.000000',NULL,'{"Name":"Café – desk","Value":1200.50,"DueDate":null}','{"title":"Café – desk","opportunity_amount":1200.50}','','','','');
CREATE TABLE spent (
	lane VARCHAR NOT NULL, 
	length INTEGER NOT NULL, 
	start INTEGER NOT NULL, 
	calls INTEGER NOT NULL, 
	writes INTEGER NOT NULL, 
	creations INTEGER NOT NULL, 
	PRIMARY KEY (lane, length, start)
);
INSERT INTO "spent" VALUES('nexudus',60,1772452800,12,3,0);
CREATE TABLE unlinked (
	connection VARCHAR NOT NULL, 
	side VARCHAR NOT NULL, 
	record_id VARCHAR NOT NULL, 
	identity VARCHAR NOT NULL, 
	stamp VARCHAR NOT NULL, 
	digest VARCHAR NOT NULL, 
	recheck BOOLEAN NOT NULL, 
	email VARCHAR, 
	title VARCHAR, 
	is_open BOOLEAN NOT NULL, 
	external_key VARCHAR, 
	created_at DATETIME, 
	state VARCHAR NOT NULL, 
	reason VARCHAR, customer VARCHAR DEFAULT '' NOT NULL, 
	PRIMARY KEY (connection, side, record_id)
);
INSERT INTO "unlinked" VALUES('london','crm','c9','','','',0,'ann@example.com',NULL,1,NULL,'2026-03-02 12:00:00.000000','waiting',NULL,'');
CREATE INDEX ix_unlinked_email ON unlinked (connection, side, email);
CREATE INDEX ix_history_record ON history (nexudus_id, crm_id);
CREATE INDEX ix_conflict_state ON "conflict" (state, connection);
CREATE INDEX ix_conflict_record ON "conflict" (nexudus_id, crm_id);
CREATE INDEX ix_conflict_crm_record ON "conflict" (crm_id);
CREATE INDEX ix_failure_state ON failure (state, connection);
CREATE INDEX ix_failure_record ON failure (nexudus_id, crm_id);
CREATE INDEX ix_failure_crm_record ON failure (crm_id);
CREATE INDEX ix_link_connection ON link (connection, state);
CREATE INDEX ix_journal_state ON journal (state, connection);
CREATE INDEX ix_history_connection ON history (connection, id);
CREATE INDEX ix_link_names ON link (title, customer, nexudus_id);
COMMIT;
