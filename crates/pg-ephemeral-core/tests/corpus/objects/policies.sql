-- Row security: policies for roles and commands, also forced on the owner.
CREATE ROLE tenant;
CREATE ROLE clerk;
CREATE TABLE bill (id int, owner name, cents int);
ALTER TABLE bill ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON bill TO tenant USING (owner = current_user) WITH CHECK (cents > 0);
CREATE POLICY few ON bill AS RESTRICTIVE FOR SELECT USING (cents < 1000);
CREATE POLICY "for clerks; all" ON bill FOR UPDATE TO clerk, tenant USING (true);
ALTER TABLE bill FORCE ROW LEVEL SECURITY;
GRANT SELECT, INSERT ON bill TO tenant;
INSERT INTO bill VALUES (1, 'tenant', 5), (2, 'clerk', 6);
SET ROLE tenant;
INSERT INTO bill VALUES (3, 'tenant', 7);
CREATE TEMP TABLE seen AS SELECT * FROM bill;
RESET ROLE;
CREATE TABLE found AS SELECT id FROM seen;
