create view expensive as select name, cents from product where cents >= :threshold;
