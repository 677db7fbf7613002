-- White space of all kinds stands around the statements.
	 


  CREATE	TABLEitem(id
int)  ;  	
;
 ; 
 INSERT INTO item VALUES (1)	;
   \echo indented
	\set n 2
INSERT INTO item VALUES (:n);



